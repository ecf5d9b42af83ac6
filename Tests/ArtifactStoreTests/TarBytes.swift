/// Blocks of a tar archive as somebody might write them who means no good.
enum TarBytes {
    static func entry(
        _ name: String, type: Character = "0", content: String = "", link: String = "", prefix: String = "",
        size: Int? = nil, mode: String = "0000644"
    ) -> [UInt8] {
        entry(
            Array(name.utf8), type: type, content: content, link: link, prefix: prefix, size: size, mode: mode)
    }

    static func entry(
        _ name: [UInt8], type: Character = "0", content: String = "", link: String = "", prefix: String = "",
        size: Int? = nil, mode: String = "0000644"
    ) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ bytes: some Collection<UInt8>, at offset: Int) {
            for (index, byte) in bytes.enumerated() { block[offset + index] = byte }
        }
        let digits = String(size ?? content.utf8.count, radix: 8)
        put(name.prefix(100), at: 0)
        put(mode.utf8, at: 100)
        put((String(repeating: "0", count: max(0, 11 - digits.count)) + digits).utf8.prefix(12), at: 124)
        block[156] = type.asciiValue ?? 0
        put(link.utf8.prefix(100), at: 157)
        put("ustar".utf8, at: 257)
        put("00".utf8, at: 263)
        put(prefix.utf8, at: 345)
        put([UInt8](repeating: 32, count: 8), at: 148)
        let sum = String(block.reduce(0) { $0 + Int($1) }, radix: 8)
        put((String(repeating: "0", count: 6 - sum.count) + sum + "\0 ").utf8, at: 148)
        return block + padded(Array(content.utf8))
    }

    /// An extended header with these records.
    static func extended(_ records: [(String, String)]) -> [UInt8] {
        var text = ""
        for (key, value) in records {
            let rest = " \(key)=\(value)\n"
            var length = rest.utf8.count
            while length != rest.utf8.count + "\(length)".utf8.count {
                length = rest.utf8.count + "\(length)".utf8.count
            }
            text += "\(length)" + rest
        }
        return entry("pax", type: "x", content: text)
    }

    static let end = [UInt8](repeating: 0, count: 1024)

    static func padded(_ bytes: [UInt8]) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
    }
}
