/// The blocks before an entry's content: those of POSIX.1-2017 `pax`, section "Extended Description", which every program that
/// reads tar archives knows.
///
/// There is one way to write an entry: owner and time are 0, a mode is 0755 or 0644, and an extended header stands before
/// what the plain one cannot hold, and nowhere else.
enum ArchiveHeader {
    static let blockSize = 512
    /// What fits into eleven octal digits.
    static let largestPlainSize = 1 << 33
    static let longestPlainPath = 100

    /// How many bytes fill up the last block of `size` bytes.
    static func padding(_ size: Int) -> Int { (blockSize - size % blockSize) % blockSize }

    // MARK: Writing

    static func bytes(of entry: ArchiveEntry) -> [UInt8] {
        var path = entry.path.text
        var target = ""
        let (type, mode): (UInt8, Int) =
            switch entry.kind {
            case .directory: (UInt8(ascii: "5"), 0o755)
            case .file(_, let isExecutable): (UInt8(ascii: "0"), isExecutable ? 0o755 : 0o644)
            case .link: (UInt8(ascii: "2"), 0o777)
            }
        if case .directory = entry.kind { path += "/" }
        if case .link(let to) = entry.kind { target = to }

        var records: [UInt8] = []
        if !isPlain(path) { records += record("path", path) }
        if !isPlain(target) { records += record("linkpath", target) }
        if entry.size >= largestPlainSize { records += record("size", "\(entry.size)") }
        var result: [UInt8] = []
        if !records.isEmpty {
            result += block("pax", "", UInt8(ascii: "x"), 0o644, records.count)
            result += records + [UInt8](repeating: 0, count: padding(records.count))
        }
        let size = entry.size >= largestPlainSize ? 0 : entry.size
        return result + block(isPlain(path) ? path : "", isPlain(target) ? target : "", type, mode, size)
    }

    private static func isPlain(_ text: String) -> Bool {
        text.utf8.count <= longestPlainPath && text.utf8.allSatisfy { $0 < 128 }
    }

    /// `LENGTH KEY=VALUE\n`, whose length counts its own digits.
    private static func record(_ key: String, _ value: String) -> [UInt8] {
        let rest = Array(" \(key)=\(value)\n".utf8)
        var length = rest.count + 1
        while "\(length)".utf8.count + rest.count != length { length = "\(length)".utf8.count + rest.count }
        return Array("\(length)".utf8) + rest
    }

    private static func block(_ path: String, _ target: String, _ type: UInt8, _ mode: Int, _ size: Int) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: blockSize)
        func put(_ text: String, at offset: Int) {
            for (index, byte) in text.utf8.enumerated() { block[offset + index] = byte }
        }
        func octal(_ value: Int, _ digits: Int) -> String {
            let text = String(value, radix: 8)
            return String(repeating: "0", count: digits - text.utf8.count) + text
        }
        put(path, at: 0)
        put(octal(mode, 7), at: 100)
        put(octal(0, 7), at: 108)
        put(octal(0, 7), at: 116)
        put(octal(size, 11), at: 124)
        put(octal(0, 11), at: 136)
        block[156] = type
        put(target, at: 157)
        put("ustar", at: 257)
        put("00", at: 263)
        put(octal(0, 7), at: 329)
        put(octal(0, 7), at: 337)
        put(octal(checksum(block), 6), at: 148)
        block[155] = UInt8(ascii: " ")
        return block
    }

    /// The sum of all bytes, those of the sum itself counted as blanks.
    static func checksum(_ block: [UInt8]) -> Int {
        var sum = 8 * Int(UInt8(ascii: " "))
        for (index, byte) in block.enumerated() where !(148..<156).contains(index) { sum += Int(byte) }
        return sum
    }
}
