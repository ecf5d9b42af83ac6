/// Where an entry lies beneath the directory that an archive is of, such as `weights/layer-1.bin`. It names nothing outside
/// that directory.
public struct ArchivePath: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The most bytes of a path, which is Linux' own `PATH_MAX`, and of one name in it.
    static let longest = 4095
    static let longestName = 255
    static let slash = UInt8(ascii: "/")

    /// The names, with a slash between them.
    public let text: String

    /// Takes a path as an archive writes it; a slash at the end, as directories have, is left out.
    /// - Throws: ``ArchiveError`` where it is no path beneath a directory.
    public init(_ text: String) throws(ArchiveError) {
        // Bytes throughout, as the system sees them: for Swift a slash with a combining character after it is no slash.
        var bytes = Array(text.utf8)
        if bytes.last == Self.slash { bytes.removeLast() }
        guard bytes.first != Self.slash else { throw ArchiveError(text, .leavesDirectory) }
        guard bytes.count <= Self.longest else { throw ArchiveError(text, .tooLong(Self.longest)) }
        for name in bytes.split(separator: Self.slash, omittingEmptySubsequences: false) {
            guard !name.elementsEqual("..".utf8) else { throw ArchiveError(text, .leavesDirectory) }
            guard !name.isEmpty, !name.elementsEqual(".".utf8), !name.contains(0) else {
                throw ArchiveError(text, .nameless)
            }
            guard name.count <= Self.longestName else { throw ArchiveError(text, .tooLong(Self.longestName)) }
            // In a layer of an image such a name stands for the removal of another.
            guard !name.starts(with: ".wh.".utf8) else { throw ArchiveError(text, .whiteout) }
        }
        self.text = String(decoding: bytes, as: UTF8.self)
    }

    /// The directory that it lies in; nil at the top.
    public var parent: ArchivePath? {
        text.utf8.lastIndex(of: Self.slash).map { ArchivePath(checked: String(text[..<$0])) }
    }

    /// How many directories it lies in.
    var depth: Int { text.utf8.count { $0 == Self.slash } }

    private init(checked text: String) { self.text = text }

    public var description: String { text }

    /// By bytes, as the order must not depend on a locale.
    public static func < (left: ArchivePath, right: ArchivePath) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    /// By bytes too: two texts that look alike are two files.
    public static func == (left: ArchivePath, right: ArchivePath) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    public func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
        hasher.combine(0 as UInt8)
    }
}
