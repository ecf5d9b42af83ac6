import Files
import Glibc

/// Stands in for mounts where no mount namespace may be made: a symbolic link at each mount path of the machine.
///
/// All pods see the same links, so two of them cannot have different volumes at one path, nothing is read-only, and a
/// path that the machine has already cannot be a mount path. Links go with the last pod that needs them.
actor LinkedMounts {
    private struct Link {
        var source: String
        var pods: Set<String>
    }

    private let dataDirectory: String
    private var links: [String: Link] = [:]

    init(dataDirectory: String) { self.dataDirectory = dataDirectory }

    func place(_ mounts: [ContainerLaunch.Mount], for pod: String) throws {
        for mount in mounts {
            if let link = links[mount.target] {
                guard link.source == mount.source else {
                    throw ContainerConfigurationError(
                        "another pod has another volume at \(mount.target), and this node may not make mount "
                            + "namespaces to keep them apart")
                }
                links[mount.target]?.pods.insert(pod)
                continue
            }
            try link(mount)
            links[mount.target] = Link(source: mount.source, pods: [pod])
        }
    }

    /// Lets a path lead to the file of whoever came last, since only one can have it.
    func redirect(_ mount: ContainerLaunch.Mount, for pod: String) throws {
        if links[mount.target] != nil { unlink(mount.target) }
        links[mount.target] = nil
        try place([mount], for: pod)
    }

    func release(_ pod: String) {
        for (target, link) in links where link.pods.contains(pod) {
            links[target]?.pods.remove(pod)
            if links[target]?.pods.isEmpty == true {
                unlink(target)
                links[target] = nil
            }
        }
    }

    private func link(_ mount: ContainerLaunch.Mount) throws {
        if FileSystem.kind(mount.target, followingLinks: false) == .symlink,
            try FileSystem.linkTarget(mount.target).hasPrefix("\(dataDirectory)/")
        {
            // A node before this one left it.
            unlink(mount.target)
        }
        if let slash = mount.target.lastIndex(of: "/"), slash > mount.target.startIndex {
            try FileSystem.makeDirectories(String(mount.target[..<slash]))
        }
        guard symlink(mount.source, mount.target) == 0 else {
            throw ContainerConfigurationError(
                "this node may not make mount namespaces, and \(mount.target) cannot be a link to the volume: "
                    + FileSystem.message(errno))
        }
    }
}
