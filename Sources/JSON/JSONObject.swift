#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// The members of a JSON object, kept sorted by the UTF-8 bytes of their names.
///
/// Sorted storage makes equality and the canonical form independent of the order in which a document was written, and
/// is smaller than a dictionary for the objects of Kubernetes, which have few members. Looking up costs O(log n);
/// adding costs O(n), so a large object is built from its members at once.
public struct JSONObject: Sendable, Hashable {
    public struct Member: Sendable, Hashable {
        public let key: String
        public var value: JSONValue

        public static func == (left: Member, right: Member) -> Bool {
            left.key.hasSameBytes(as: right.key) && left.value == right.value
        }
    }

    public private(set) var members: [Member]

    public init() { members = [] }

    /// Builds an object from members in any order; of members with equal names the last one counts.
    public init(_ pairs: [(String, JSONValue)]) { self.init(pairs.map { Member(key: $0.0, value: $0.1) }) }

    init(_ members: consuming [Member]) {
        let sorted = members.indices.dropFirst().allSatisfy { Self.precedes(members[$0 - 1].key, members[$0].key) }
        if !sorted {
            Self.sort(&members)
            var unique: [Member] = []
            unique.reserveCapacity(members.count)
            for member in members {
                if let last = unique.last, !Self.precedes(last.key, member.key) { unique.removeLast() }
                unique.append(member)
            }
            members = unique
        }
        self.members = members
    }

    /// Stable, so that the last of equal names stays last. For few members, as most objects have, the standard sort does
    /// more to begin with than is to be done.
    private static func sort(_ members: inout [Member]) {
        guard members.count <= 16 else {
            members.sort { precedes($0.key, $1.key) }
            return
        }
        for end in members.indices.dropFirst() {
            var index = end
            while index > 0, precedes(members[index].key, members[index - 1].key) {
                members.swapAt(index, index - 1)
                index -= 1
            }
        }
    }

    public var count: Int { members.count }
    public var isEmpty: Bool { members.isEmpty }
    public var keys: [String] { members.map(\.key) }
    public var values: [JSONValue] { members.map(\.value) }

    public subscript(key: String) -> JSONValue? {
        get {
            let (index, found) = position(of: key)
            return found ? members[index].value : nil
        }
        set {
            let (index, found) = position(of: key)
            switch (found, newValue) {
            case (true, let value?): members[index].value = value
            case (true, nil): members.remove(at: index)
            case (false, let value?): members.insert(Member(key: key, value: value), at: index)
            case (false, nil): break
            }
        }
    }

    public subscript(key: String, default fallback: @autoclosure () -> JSONValue) -> JSONValue {
        get { self[key] ?? fallback() }
        set { self[key] = newValue }
    }

    @discardableResult
    public mutating func removeValue(forKey key: String) -> JSONValue? {
        let (index, found) = position(of: key)
        return found ? members.remove(at: index).value : nil
    }

    public func mapValues(_ transform: (JSONValue) throws -> JSONValue) rethrows -> JSONObject {
        var copy = self
        for index in copy.members.indices { copy.members[index].value = try transform(members[index].value) }
        return copy
    }

    public func filter(_ isIncluded: (Member) throws -> Bool) rethrows -> JSONObject {
        var copy = JSONObject()
        copy.members = try members.filter(isIncluded)
        return copy
    }

    /// Where `key` is, or where it would be inserted.
    private func position(of key: String) -> (index: Int, found: Bool) {
        var low = 0
        var high = members.count
        while low < high {
            let middle = (low + high) / 2
            if Self.precedes(members[middle].key, key) { low = middle + 1 } else { high = middle }
        }
        return (low, low < members.count && !Self.precedes(key, members[low].key))
    }

    /// Compares bytes, not characters: Swift holds "é" composed and decomposed for equal, JSON does not.
    private static func precedes(_ left: String, _ right: String) -> Bool {
        let compared: Bool?? = left.utf8.withContiguousStorageIfAvailable { left in
            right.utf8.withContiguousStorageIfAvailable { right in
                guard let first = left.baseAddress, let second = right.baseAddress else { return !right.isEmpty }
                let order = memcmp(first, second, Swift.min(left.count, right.count))
                return order < 0 || (order == 0 && left.count < right.count)
            }
        }
        if case .some(.some(let result)) = compared { return result }
        return left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}

extension JSONObject: RandomAccessCollection {
    public var startIndex: Int { 0 }
    public var endIndex: Int { members.count }
    public subscript(position: Int) -> (key: String, value: JSONValue) {
        (members[position].key, members[position].value)
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }
}

extension String {
    /// Equality as JSON has it. It implies Swift's, so that hashes stay what they are.
    func hasSameBytes(as other: String) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        let compared: Bool?? = utf8.withContiguousStorageIfAvailable { left in
            other.utf8.withContiguousStorageIfAvailable { right in
                guard let first = left.baseAddress, let second = right.baseAddress else { return left.isEmpty }
                return memcmp(first, second, left.count) == 0
            }
        }
        if case .some(.some(let result)) = compared { return result }
        return utf8.elementsEqual(other.utf8)
    }
}
