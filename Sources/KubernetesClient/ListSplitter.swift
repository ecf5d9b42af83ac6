/// Cuts a list's answer into its items while it arrives, so that no more than one item is ever held as text.
///
/// It looks at quotes and brackets only: whether an item is JSON shows when it is parsed, and whether the rest is, and has
/// come to an end, when ``envelope`` is.
struct ListSplitter {
    /// Why an answer is no list.
    struct Failure: Error {
        var message: String
        init(_ message: String) { self.message = message }
    }

    /// No object of etcd's comes near.
    static let maximumHeld = 64 << 20

    /// The answer, with `0` in the place of every item.
    private(set) var envelope: [UInt8] = []
    /// What has come of an item that a piece's end cut.
    private var item: [UInt8] = []
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private var isInItems = false
    /// How many items were cut out.
    private(set) var count = 0

    private static let name = Array(#""items""#.utf8)

    mutating func push(_ piece: [UInt8], _ take: (ArraySlice<UInt8>) throws(Failure) -> Void) throws(Failure) {
        var position = 0
        while position < piece.count {
            let isInItem = isInItems && depth > 2
            position =
                isInItem ? try pushItem(piece, from: position, take) : try pushEnvelope(piece, from: position)
        }
        guard envelope.count + item.count <= Self.maximumHeld else {
            throw Failure("an item, or what is around the items, has more than \(Self.maximumHeld) bytes")
        }
    }

    /// Goes on to where an item begins, and returns that place.
    private mutating func pushEnvelope(_ piece: [UInt8], from start: Int) throws(Failure) -> Int {
        var position = start
        while position < piece.count {
            let byte = piece[position]
            if isInItems, depth == 2, !Self.separates(byte) {
                guard byte == UInt8(ascii: "{") else { throw Failure("items[\(count)] is no object") }
                envelope.append(UInt8(ascii: "0"))
                depth += 1
                item.append(byte)
                return position + 1
            }
            if !isInString, byte == UInt8(ascii: "["), depth == 1, endsWithName { isInItems = true }
            Self.follow(byte, &depth, &isInString, &isEscaped)
            if isInItems, depth == 1 { isInItems = false }
            envelope.append(byte)
            position += 1
        }
        return position
    }

    /// Goes on to the end of an item or of the piece.
    private mutating func pushItem(
        _ piece: [UInt8], from start: Int, _ take: (ArraySlice<UInt8>) throws(Failure) -> Void
    ) throws(Failure) -> Int {
        let position = piece.withUnsafeBufferPointer { followItem($0, from: start) }
        item += piece[start..<position]
        if depth == 2 {
            count += 1
            try take(item[...])
            item.removeAll(keepingCapacity: true)
        }
        return position
    }

    /// The one loop that sees every byte: it works on copies, which stay in registers.
    private mutating func followItem(_ piece: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        var (position, depth, isInString, isEscaped) = (start, self.depth, self.isInString, self.isEscaped)
        while position < piece.count, depth > 2 {
            Self.follow(piece[position], &depth, &isInString, &isEscaped)
            position += 1
        }
        (self.depth, self.isInString, self.isEscaped) = (depth, isInString, isEscaped)
        return position
    }

    @inline(__always)
    private static func follow(_ byte: UInt8, _ depth: inout Int, _ isInString: inout Bool, _ isEscaped: inout Bool) {
        if isInString {
            if isEscaped {
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: "\"") {
                isInString = false
            }
            return
        }
        switch byte {
        case UInt8(ascii: "\""): isInString = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
        default: break
        }
    }

    private static func separates(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: ","), UInt8(ascii: "]"), 0x20, 0x09, 0x0A, 0x0D: true
        default: false
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

    /// What came last is the member name `items` and its colon.
    private var endsWithName: Bool {
        var rest = envelope[...]
        func trimmed(_ rest: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
            rest.dropLast(rest.reversed().prefix(while: Self.isSpace).count)
        }
        rest = trimmed(rest)
        guard rest.popLast() == UInt8(ascii: ":") else { return false }
        rest = trimmed(rest)
        guard rest.suffix(Self.name.count).elementsEqual(Self.name) else { return false }
        // Not the end of a longer name with an escaped quote in it.
        let before = trimmed(rest.dropLast(Self.name.count)).last
        return before == UInt8(ascii: "{") || before == UInt8(ascii: ",")
    }
}
