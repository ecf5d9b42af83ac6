import Files
import Glibc

/// The control group that holds a container to its memory limit, in version 2 or 1, where the node may make one.
///
/// Without that right the limit is not enforced; address-space limits would hit programs that only reserve.
struct ControlGroup: Sendable {
    private static let prefix = "assay-"
    private let parents: [Parent]
    private let name: String

    private struct Parent: Sendable {
        var path: String
        var isUnified: Bool
    }

    init(_ identity: String, _ context: NodeContext) {
        name = Self.prefix + String(identity.suffix(32))
        parents = Self.parents(FileSystem.text("/proc/self/cgroup") ?? "")
    }

    /// The node's own groups that have a memory controller, from `/proc/self/cgroup`.
    private static func parents(_ table: String) -> [Parent] {
        for line in table.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 3 else { continue }
            let own = fields[2] == "/" ? "" : fields[2]
            if fields[1].split(separator: ",").contains("memory") {
                let path = "/sys/fs/cgroup/memory\(own)"
                if FileSystem.kind("\(path)/memory.limit_in_bytes") == .file {
                    return [Parent(path: path, isUnified: false)]
                }
            } else if fields[0] == "0" {
                let path = "/sys/fs/cgroup\(own)"
                if (FileSystem.text("\(path)/cgroup.controllers") ?? "").split(separator: " ").contains(where: {
                    $0.trimmingNewline == "memory"
                }) {
                    return [Parent(path: path, isUnified: true)]
                }
            }
        }
        return []
    }

    /// Makes the group and returns the files through which a process enters it.
    func make(uid: String, _ container: String, memoryLimit: Int64?) -> [String] {
        guard let memoryLimit, memoryLimit > 0, let parent = parents.first else { return [] }
        let path = "\(parent.path)/\(name)"
        do throws(FileError) {
            if parent.isUnified { try FileSystem.append("+memory", to: "\(parent.path)/cgroup.subtree_control") }
            guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw FileError("make directory", path) }
            let file = parent.isUnified ? "memory.max" : "memory.limit_in_bytes"
            try FileSystem.append(String(memoryLimit), to: "\(path)/\(file)")
            // Swapping would hide that the limit is reached; not every kernel counts swap.
            for swap in ["memory.swap.max", "memory.memsw.limit_in_bytes"]
            where FileSystem.kind("\(path)/\(swap)") != nil {
                try FileSystem.append(parent.isUnified ? "0" : String(memoryLimit), to: "\(path)/\(swap)")
            }
            return ["\(path)/cgroup.procs"]
        } catch {
            rmdir(path)
            return []
        }
    }

    /// Whether the kernel has killed a process of the group for want of memory.
    var hasKilled: Bool {
        for parent in parents {
            let file = parent.isUnified ? "memory.events" : "memory.oom_control"
            for line in (FileSystem.text("\(parent.path)/\(name)/\(file)") ?? "").split(separator: "\n") {
                let fields = line.split(separator: " ")
                if fields.count == 2, fields[0] == "oom_kill", fields[1] != "0" { return true }
            }
        }
        return false
    }

    /// Removes the group; one that still has processes, for an instant after they were killed, is left.
    func remove() { for parent in parents { rmdir("\(parent.path)/\(name)") } }
}

extension Substring {
    fileprivate var trimmingNewline: Substring { last == "\n" ? dropLast() : self }
}
