/// The name of a time zone in the IANA database, such as `Europe/London`. It is safe as the end of a path; whether there is
/// such a zone is another matter.
public struct ZoneName: Sendable, Hashable, CustomStringConvertible {
    public let description: String

    /// In bytes; the longest of the database has 32.
    public static let longestText = 64

    /// UTC, which is what counts where nothing is said.
    public static let utc = ZoneName(known: "UTC")

    private init(known: String) { description = known }

    /// Refuses what Kubernetes refuses in a CronJob's `timeZone`.
    public init(_ text: String) throws(ZoneError) {
        guard !text.isEmpty, text.utf8.count <= Self.longestText else { throw .name(text) }
        guard text.lowercased() != "local" else { throw .local(text) }
        for part in text.split(separator: "/", omittingEmptySubsequences: false) {
            guard (1...14).contains(part.utf8.count), part != ".", part != "..", !part.hasPrefix("-"),
                part.utf8.allSatisfy(Self.isAllowed)
            else { throw .name(text) }
        }
        description = text
    }

    /// The characters of names, and digits and `+` for those that there were before.
    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
            UInt8(ascii: "+"):
            true
        default: false
        }
    }
}

/// Why there is no time zone of a name.
public enum ZoneError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The text is not of the form of such names.
    case name(String)
    /// The text stands for whatever the machine is set to.
    case local(String)
    /// There is none of this name. What `directory` has is what counts.
    case unknown(ZoneName, directory: String)
    /// There are no time zones on this machine, which is no mistake of who wrote the name.
    case notInstalled(ZoneName, directory: String)
    /// The zone's file is damaged or cannot be read, which is no mistake of who wrote the name.
    case unreadable(ZoneName, path: String, reason: String)

    /// Whether another name would help; else whoever runs the program has to do something.
    public var isMistakeInName: Bool {
        switch self {
        case .name, .local, .unknown: true
        case .notInstalled, .unreadable: false
        }
    }

    /// One line, with what would help.
    public var description: String {
        switch self {
        case .name(let text):
            "\(quoted(text)) is no name of a time zone; write one of the IANA database, such as Europe/London or UTC"
        case .local(let text):
            "\(quoted(text)) would depend on the machine; name a zone of the IANA database, such as Europe/London or UTC"
        case .unknown(let name, let directory):
            """
            there is no time zone \(quoted(name.description)) in \(directory); write one of the IANA database, such as \
            Europe/London or UTC, in upper and lower case as it is there
            """
        case .notInstalled(let name, let directory):
            """
            the time zone \(quoted(name.description)) was not looked up, since this machine has no \(directory); install \
            Debian's package tzdata, or leave the zone out for UTC
            """
        case .unreadable(let name, let path, let reason):
            "the time zone \(quoted(name.description)) is not to be had from \(path): \(reason); install tzdata anew"
        }
    }
}
