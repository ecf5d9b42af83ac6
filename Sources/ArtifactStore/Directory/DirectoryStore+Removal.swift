import CLinux
import Files
import Glibc
import KubernetesModel
import OpenSSL

/// Who removes takes a file aside first and only then looks how old it is: what was kept or touched before is seen to be young
/// and put back, and who comes after finds nothing there and keeps it anew.
extension DirectoryStore {
    private static let aside = "removed-"

    public func touch(_ digest: Digest) async throws(ArtifactError) -> Bool {
        let path = path(of: digest)
        if utimensat(AT_FDCWD, path, nil, 0) == 0 { return true }
        guard errno != ENOENT else { return false }
        throw .file(FileError("set the time of", path))
    }

    public func contents() async throws(ArtifactError) -> [StoredBlob]? {
        try putBack()
        let directory = "\(root)/blobs/sha256"
        guard FileSystem.kind(directory) == .directory else { return [] }
        var result: [StoredBlob] = []
        do throws(FileError) {
            for name in try FileSystem.entries(directory) {
                guard let digest = Digest("sha256:\(name)"), let status = try Self.status(path(of: digest)) else {
                    continue
                }
                result.append(StoredBlob(digest: digest, size: Int(status.st_size), time: Self.time(status)))
            }
        } catch { throw .file(error) }
        return result
    }

    public func remove(tag: String, unlessSince time: Timestamp?) async throws(ArtifactError) -> Bool {
        try Tag.check(tag)
        return try remove("tags/\(tag)", unlessSince: time)
    }

    public func remove(_ digest: Digest, unlessSince time: Timestamp?) async throws(ArtifactError) -> Bool {
        try remove("blobs/sha256/\(digest.hex)", unlessSince: time)
    }

    public func abandonUploads(unlessSince time: Timestamp?) async throws(ArtifactError) -> Int {
        try putBack()
        let uploads = "\(root)/uploads"
        guard FileSystem.kind(uploads) == .directory else { return 0 }
        var count = 0
        do throws(FileError) {
            for name in try FileSystem.entries(uploads) where !name.hasPrefix(Self.aside) {
                guard let status = try Self.status("\(uploads)/\(name)") else { continue }
                // Whoever still writes has just written.
                if let time, Self.time(status) >= time { continue }
                try FileSystem.remove("\(uploads)/\(name)")
                count += 1
            }
        } catch { throw .file(error) }
        return count
    }

    private func remove(_ name: String, unlessSince time: Timestamp?) throws(ArtifactError) -> Bool {
        let path = "\(root)/\(name)"
        try Upload.makeShared("\(root)/uploads")
        do throws(FileError) {
            guard let status = try Self.status(path) else { return true }
            if let time, Self.time(status) >= time { return false }
            let last = name.lastIndex(of: "/").map { name[name.index(after: $0)...] } ?? name[...]
            let kind = name.hasPrefix("tags/") ? "tag" : "blob"
            let aside = "\(root)/uploads/\(Self.aside)\(kind)-\(last)"
            guard rename(path, aside) == 0 else {
                if errno == ENOENT { return true }
                throw FileError("rename", path)
            }
            if let time, let status = try Self.status(aside), Self.time(status) >= time {
                try Self.putBack(aside, as: path)
                return false
            }
            try FileSystem.remove(aside)
        } catch { throw .file(error) }
        // What comes after this on the disk must not be there before it: a tag goes before its manifest.
        if let slash = path.lastIndex(of: "/") { try Upload.flush(String(path[..<slash])) }
        return true
    }

    /// Puts back what somebody has taken aside who then came to an end.
    private func putBack() throws(ArtifactError) {
        let uploads = "\(root)/uploads"
        guard FileSystem.kind(uploads) == .directory else { return }
        do throws(FileError) {
            for name in try FileSystem.entries(uploads) where name.hasPrefix(Self.aside) {
                let rest = name.dropFirst(Self.aside.count)
                if rest.hasPrefix("blob-") {
                    try Self.putBack("\(uploads)/\(name)", as: "\(root)/blobs/sha256/\(rest.dropFirst(5))")
                } else if rest.hasPrefix("tag-") {
                    try Self.putBack("\(uploads)/\(name)", as: "\(root)/tags/\(rest.dropFirst(4))")
                }
            }
        } catch { throw .file(error) }
    }

    /// What was kept there meanwhile is newer, and stays.
    private static func putBack(_ aside: String, as path: String) throws(FileError) {
        guard link(aside, path) == 0 || errno == EEXIST || errno == ENOENT else { throw FileError("put back", path) }
        try FileSystem.remove(aside)
    }

    /// Nil where there is nothing.
    private static func status(_ path: String) throws(FileError) -> stat? {
        do throws(FileError) { return try FileSystem.status(path, followingLinks: false) } catch {
            guard error.errorNumber == ENOENT else { throw error }
            return nil
        }
    }

    private static func time(_ status: stat) -> Timestamp {
        Timestamp(sinceEpoch: .seconds(status.st_mtim.tv_sec) + .nanoseconds(status.st_mtim.tv_nsec))
    }
}
