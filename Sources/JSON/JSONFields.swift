/// The members of a document that its reader wants. The others are checked like the rest and then left out, which costs
/// no memory and a fraction of the time.
public struct JSONFields: Sendable, Hashable {
    struct Member: Sendable, Hashable {
        let name: String
        /// What is wanted of the member; nil for all of it.
        var fields: JSONFields?
    }

    private(set) var members: [Member] = []

    /// - Parameter paths: names joined by dots. `spec.replicas` takes that member with all that is below it, and of a list
    ///   the same of every element.
    public init(_ paths: String...) {
        for path in paths { insert(path.split(separator: ".").map(String.init)[...]) }
    }

    /// What either wants.
    public func union(_ other: JSONFields) -> JSONFields {
        var result = self
        for member in other.members {
            guard let index = result.members.firstIndex(where: { $0.name == member.name }) else {
                result.members.append(member)
                continue
            }
            let both = result.members[index].fields.flatMap { mine in member.fields.map { mine.union($0) } }
            result.members[index].fields = both
        }
        return result
    }

    private mutating func insert(_ path: ArraySlice<String>) {
        guard let name = path.first else { return }
        let rest = path.dropFirst()
        var below: JSONFields?
        if !rest.isEmpty {
            below = JSONFields()
            below?.insert(rest)
        }
        var single = JSONFields()
        single.members = [Member(name: name, fields: below)]
        self = union(single)
    }

    /// The member whose name has these bytes; nil where it is not wanted.
    func member(named name: UnsafeBufferPointer<UInt8>) -> Member? {
        members.first { member in
            member.name.utf8.count == name.count && member.name.utf8.elementsEqual(name)
        }
    }
}
