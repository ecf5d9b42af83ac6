import Files
import Glibc
import KubernetesModel

/// Makes planned volumes in the node's data directory.
struct VolumeDirectory: Sendable {
    /// `<data>`
    var dataDirectory: String

    func pod(_ uid: String) -> String { "\(dataDirectory)/pods/\(uid)" }

    /// Makes the volume and returns the directory that is bound at the mount paths.
    ///
    /// - Parameter group: the pod's `fsGroup`, which then owns the volume and may write to it.
    func make(
        _ plan: VolumePlan, named name: String, of pod: NodePod, group: Int?
    ) throws(FileError) -> String {
        switch plan {
        case .empty:
            let directory = "\(self.pod(pod.uid))/volumes/\(name)"
            try FileSystem.makeDirectories(directory)
            chmod(directory, 0o777)
            try give(directory, to: group)
            return directory
        case .claim(let claim, let path):
            let directory = path ?? "\(dataDirectory)/volumes/\(pod.key.namespace ?? "default")/\(claim)"
            try FileSystem.makeDirectories(directory)
            chmod(directory, 0o777)
            try give(directory, to: group)
            return directory
        case .files(let files):
            let directory = "\(self.pod(pod.uid))/volumes/\(name)"
            try FileSystem.makeDirectories(directory)
            for file in files {
                let path = "\(directory)/\(file.path)"
                if let slash = path.lastIndex(of: "/") { try FileSystem.makeDirectories(String(path[..<slash])) }
                // Whoever reads meanwhile reads the old file or the new one.
                let draft = path + ".assay-new"
                try FileSystem.write(file.bytes, to: draft, mode: file.mode | (group == nil ? 0 : 0o040))
                if let group, geteuid() == 0 { chown(draft, uid_t.max, gid_t(clamping: group)) }
                guard rename(draft, path) == 0 else { throw FileError("rename to", path) }
            }
            return directory
        case .image(let name, _):
            // The image store resolves these; there is nothing to make here.
            throw FileError("make a volume of the image", name, EINVAL)
        }
    }

    private func give(_ directory: String, to group: Int?) throws(FileError) {
        guard let group, geteuid() == 0 else { return }
        guard chown(directory, uid_t.max, gid_t(clamping: group)) == 0 else {
            throw FileError("change group of", directory)
        }
        // New files take the group of the directory.
        chmod(directory, 0o2777)
    }
}
