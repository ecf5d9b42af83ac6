import JSON

/// What `assay node-exec` is told over a file descriptor: everything about the process to start. It holds secrets of
/// the environment, so it never touches a disk or a command line.
struct ContainerLaunch: Sendable, Hashable {
    enum Isolation: String, Sendable, Hashable {
        /// Mount and process namespaces, made as root.
        case full
        /// The same inside a user namespace of its own.
        case user
        /// A plain process of the host.
        case none
    }

    struct Mount: Sendable, Hashable {
        var source: String
        var target: String
        var isReadOnly: Bool
    }

    var isolation: Isolation
    /// The process that starts it; when that is gone already, nothing is started.
    var parent: Int32
    /// A directory of the host on which the container's root is built.
    var root: String = ""
    var hostname = ""
    /// The path of a network namespace to enter.
    var networkNamespace: String?
    var mounts: [Mount] = []
    var readOnlyRoot = false
    var workingDirectory: String
    var environment: [String: String]
    var command: [String]
    /// Nil to stay who the node is.
    var user: Int?
    var group: Int?
    var groups: [Int] = []
    var noNewPrivileges = false
    /// `cgroup.procs` files to enter.
    var controlGroups: [String] = []
    /// A process whose namespaces to enter instead of making new ones: to run a command in a container.
    var join: Int32?

    init(
        isolation: Isolation, parent: Int32, workingDirectory: String, environment: [String: String],
        command: [String]
    ) {
        self.isolation = isolation
        self.parent = parent
        self.workingDirectory = workingDirectory
        self.environment = environment
        self.command = command
    }

    var json: JSONValue {
        var json: JSONValue = [
            "isolation": .string(isolation.rawValue), "parent": .integer(Int64(parent)), "root": .string(root),
            "hostname": .string(hostname), "readOnlyRoot": .bool(readOnlyRoot),
            "workingDirectory": .string(workingDirectory), "environment": JSONValue(environment),
            "command": JSONValue(command), "noNewPrivileges": .bool(noNewPrivileges),
            "controlGroups": JSONValue(controlGroups),
        ]
        json["networkNamespace"] = JSONValue(networkNamespace)
        json["mounts"] = .array(
            mounts.map {
                ["source": .string($0.source), "target": .string($0.target), "readOnly": .bool($0.isReadOnly)]
            })
        json["user"] = user.map { JSONValue($0) }
        json["group"] = group.map { JSONValue($0) }
        json["groups"] = .array(groups.map { JSONValue($0) })
        json["join"] = join.map { JSONValue(Int($0)) }
        return json
    }

    init(json cursor: JSONCursor) throws(JSONShapeError) {
        guard let isolation = Isolation(rawValue: try cursor["isolation"].string()) else {
            throw cursor["isolation"].failure("is unknown")
        }
        self.isolation = isolation
        parent = Int32(clamping: try cursor["parent"].int())
        root = try cursor["root"].string()
        hostname = try cursor["hostname"].string()
        networkNamespace = try cursor["networkNamespace"].optionalString()
        for mount in try cursor["mounts"].elements() {
            mounts.append(
                Mount(
                    source: try mount["source"].string(), target: try mount["target"].string(),
                    isReadOnly: try mount["readOnly"].bool()))
        }
        readOnlyRoot = try cursor["readOnlyRoot"].bool()
        workingDirectory = try cursor["workingDirectory"].string()
        environment = try cursor["environment"].stringMap()
        command = try cursor["command"].strings()
        user = try cursor["user"].optionalInt()
        group = try cursor["group"].optionalInt()
        for element in try cursor["groups"].elements() { groups.append(try element.int()) }
        noNewPrivileges = try cursor["noNewPrivileges"].bool()
        controlGroups = try cursor["controlGroups"].strings()
        join = try cursor["join"].optionalInt().map { Int32(clamping: $0) }
    }
}
