import Files

/// Where the system keeps its time zones.
public struct ZoneDirectory: Sendable, Hashable {
    public var path: String

    public init(path: String = "/usr/share/zoneinfo") { self.path = path }

    /// Reads a zone; UTC without a file. It blocks for as long as it takes to read a few thousand bytes, and reads anew each
    /// time, so that what is installed meanwhile counts.
    public func zone(_ name: ZoneName) throws(ZoneError) -> TimeZoneData {
        if ["UTC", "Etc/UTC"].contains(name.description) { return .utc }
        let file = "\(path)/\(name)"
        switch FileSystem.kind(file) {
        case .file: break
        case nil where FileSystem.kind(path) != .directory: throw .notInstalled(name, directory: path)
        default: throw .unknown(name, directory: path)
        }
        var bytes: [UInt8] = []
        do {
            try FileSystem.readWhile(file) { piece in
                bytes.append(contentsOf: piece)
                return bytes.count <= TimeZoneData.mostBytes
            }
        } catch {
            throw .unreadable(name, path: file, reason: "\(error)")
        }
        // Lists and notes lie beside the zones.
        guard bytes.starts(with: "TZif".utf8) else { throw .unknown(name, directory: path) }
        do {
            return try TimeZoneData(tzif: bytes)
        } catch {
            throw .unreadable(name, path: file, reason: error.description)
        }
    }
}
