import Files

/// What is wrong with an archive, or with a directory that shall become one.
public struct ArchiveError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Reason: Sendable, Hashable {
        // Of one entry.
        case nameless
        case notText
        case leavesDirectory
        case linkLeavesDirectory(String)
        case whiteout
        case tooLong(Int)
        case duplicate
        case insideOfNoDirectory
        case unsupported(String)
        case changed(from: Int, to: Int)

        // Of the archive.
        case malformed(String)
        case cutOff
        case tooManyEntries(Int)
        case tooManyBytes(Int)

        /// The file system refused; who owns the file and what its mode is, where that is known.
        case file(FileError, mode: UInt32?, owner: UInt32?, group: UInt32?)
    }

    /// The entry's path, as it was read; empty where it is about the whole archive.
    public var entry: String
    public var reason: Reason

    init(_ entry: String = "", _ reason: Reason) {
        self.entry = entry
        self.reason = reason
    }

    init(_ error: FileError) { self.init("", .file(error, mode: nil, owner: nil, group: nil)) }

    public var description: String {
        // What an archive says is shown, but can neither fill a page nor steer a terminal.
        entry.isEmpty ? text : "\(Self.shown(entry)): \(text)"
    }

    private var text: String {
        switch reason {
        case .nameless: "is no name of a file"
        case .notText: "its name is not UTF-8; rename it"
        case .leavesDirectory: "leads out of the artifact's directory"
        case .linkLeavesDirectory(let target):
            "is a link to \(Self.shown(target)), which may lead out of the artifact's directory; copy what it links to"
        case .whiteout: "begins with .wh., which in an image stands for a removed file; rename it"
        case .tooLong(let limit): "is longer than \(limit) bytes"
        case .duplicate: "is there twice"
        case .insideOfNoDirectory: "lies in something that is no directory"
        case .unsupported(let kind): "is \(kind); an artifact has files, directories and symbolic links"
        case .changed(let from, let to): "changed while it was read, from \(from) bytes to \(to)"
        case .malformed(let what): "the archive is malformed: \(what)"
        case .cutOff: "the archive is cut off"
        case .tooManyEntries(let limit): "the archive has more than \(limit) entries"
        case .tooManyBytes(let limit): "the archive unpacks to more than \(limit) bytes"
        case .file(let error, let mode, let owner, let group): Self.text(error, mode, owner, group)
        }
    }

    private static func text(_ error: FileError, _ mode: UInt32?, _ owner: UInt32?, _ group: UInt32?) -> String {
        guard let mode, let owner, let group else { return "\(error)" }
        let digits = String(mode, radix: 8)
        let padded = String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        return "\(error) (mode \(padded), owner \(owner), group \(group))"
    }

    private static func shown(_ text: String) -> String {
        let head = text.unicodeScalars.prefix(200).map { $0.value < 32 || $0.value == 127 ? "\u{FFFD}" : Character($0) }
        return String(head) + (text.unicodeScalars.count > 200 ? "…" : "")
    }
}
