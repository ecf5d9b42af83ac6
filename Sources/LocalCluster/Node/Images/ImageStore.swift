import Files
import Glibc
import OpenSSL

/// The images of a node: names that stand for directories, and content-addressed snapshots of those.
///
/// A pull snapshots the directory into `<data>/images/sha256-<hex>`, so that a later change to it makes another image
/// and leaves the old one as it was for whoever asks for it by digest. One pull runs at a time.
public actor ImageStore {
    private let sources: [String: String]
    private let root: String
    /// A pull that runs, which the next waits for: an actor's methods interleave at every await.
    private var busy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    /// - Parameters:
    ///   - images: image names, with or without a tag, and the directories they stand for.
    ///   - dataDirectory: where snapshots are kept.
    public init(images: [String: String], dataDirectory: String) throws(FileError) {
        var sources: [String: String] = [:]
        for (name, directory) in images {
            guard let reference = ImageReference(name) else { throw FileError("read image name", name, EINVAL) }
            sources[reference.tagged] = directory
        }
        self.sources = sources
        root = "\(dataDirectory)/images"
        try FileSystem.makeDirectories("\(root)/tags")
        // A pull that was broken off.
        for name in try FileSystem.entries(root) where name.hasPrefix("draft-") {
            try FileSystem.remove("\(root)/\(name)")
        }
    }

    /// Finds the image that `name` stands for, making a snapshot where the policy says so.
    ///
    /// - Parameter policy: nil for Kubernetes' default: `Always` for the tag latest, else `IfNotPresent`.
    public func resolve(_ name: String, policy: ImagePullPolicy?) async throws(ImageError) -> ResolvedImage {
        guard let reference = ImageReference(name) else {
            throw ImageError(
                reason: .invalidName,
                message: "Failed to apply default image tag \"\(name)\": couldn't parse image name: invalid reference")
        }
        let isLatest = reference.digest == nil && (reference.tag == nil || reference.tag == "latest")
        let policy = policy ?? (isLatest ? .always : .ifNotPresent)
        await acquire()
        defer { release() }
        if let digest = reference.digest { return try await pinned(reference, digest, policy) }
        return try await tagged(reference, policy)
    }

    private func pinned(
        _ reference: ImageReference, _ digest: String, _ policy: ImagePullPolicy
    ) async throws(ImageError) -> ResolvedImage {
        if FileSystem.kind(snapshot(digest)) == .directory { return resolved(reference, digest, pulled: false) }
        guard policy != .never else { throw neverPulled(reference) }
        // The directory of any tag of that repository may have just this content.
        for (name, directory) in sources.sorted(by: { $0.key < $1.key })
        where ImageReference(name)?.repository == reference.repository {
            let found = try await snapshotDirectory(reference, directory, name: name)
            if found == digest { return resolved(reference, digest, pulled: true) }
        }
        throw failure(
            reference,
            "no image of that name has this digest: it is neither in the node's store nor the digest of a "
                + "directory given with --image")
    }

    private func tagged(
        _ reference: ImageReference, _ policy: ImagePullPolicy
    ) async throws(ImageError) -> ResolvedImage {
        let last = lastDigest(reference.tagged)
        if policy != .always, let last { return resolved(reference, last, pulled: false) }
        guard policy != .never else { throw neverPulled(reference) }
        guard let directory = sources[reference.tagged] else {
            let known = sources.keys.sorted().joined(separator: ", ")
            throw failure(
                reference,
                "not found: this node knows \(known.isEmpty ? "no images" : known); "
                    + "give it one with --image \(reference.tagged)=DIRECTORY")
        }
        let digest = try await snapshotDirectory(reference, directory, name: reference.tagged)
        return resolved(reference, digest, pulled: true)
    }

    /// Makes a snapshot of what the directory holds now, unless there is one, and notes it for the tag.
    private func snapshotDirectory(
        _ reference: ImageReference, _ directory: String, name: String
    ) async throws(ImageError) -> String {
        let root = self.root
        let tagFile = self.tagFile(name)
        do throws(FileError) {
            return try await BlockingThread.attempt { () throws(FileError) -> String in
                var digest = try ImageTree.digest(directory)
                if FileSystem.kind("\(root)/sha256-\(digest)") != .directory {
                    let draft = "\(root)/draft-\(getpid())"
                    try FileSystem.remove(draft)
                    digest = try ImageTree.copy(directory, to: draft)
                    let target = "\(root)/sha256-\(digest)"
                    if rename(draft, target) != 0 {
                        let reason = errno
                        try FileSystem.remove(draft)
                        guard reason == EEXIST || reason == ENOTEMPTY else {
                            throw FileError("rename to", target, reason)
                        }
                    }
                }
                try FileSystem.write(digest, to: "\(tagFile).new")
                guard rename("\(tagFile).new", tagFile) == 0 else { throw FileError("rename to", tagFile) }
                return digest
            }
        } catch {
            throw failure(reference, "\(error)")
        }
    }

    private func snapshot(_ digest: String) -> String { "\(root)/sha256-\(digest)" }
    private func tagFile(_ name: String) -> String { "\(root)/tags/\(sha256(name).hexadecimal)" }

    private func lastDigest(_ name: String) -> String? {
        guard let digest = FileSystem.text(tagFile(name)), FileSystem.kind(snapshot(digest)) == .directory else {
            return nil
        }
        return digest
    }

    private func resolved(_ reference: ImageReference, _ digest: String, pulled: Bool) -> ResolvedImage {
        ResolvedImage(
            imageID: "\(reference.repository)@sha256:\(digest)", directory: snapshot(digest), wasPulled: pulled)
    }

    private func failure(_ reference: ImageReference, _ text: String) -> ImageError {
        ImageError(reason: .pull, message: "failed to pull image \"\(reference)\": \(text)")
    }

    private func neverPulled(_ reference: ImageReference) -> ImageError {
        ImageError(
            reason: .neverPull,
            message: "Container image \"\(reference)\" is not present with pull policy of Never")
    }

    private func acquire() async {
        if !busy {
            busy = true
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    private func release() {
        if waiting.isEmpty { busy = false } else { waiting.removeFirst().resume() }
    }
}
