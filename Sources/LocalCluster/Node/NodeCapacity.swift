import Glibc
import JSON
import KubernetesModel

/// What a node has to give.
struct NodeCapacity: Sendable, Hashable {
    var processors: Int
    var memoryBytes: Int64
    var pods = 110

    /// That of this machine.
    static func current() -> NodeCapacity {
        NodeCapacity(
            processors: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))),
            memoryBytes: Int64(sysconf(Int32(_SC_PHYS_PAGES))) * Int64(sysconf(Int32(_SC_PAGESIZE))))
    }

    var allocatable: [String: Quantity] {
        [
            "cpu": Quantity(Int64(processors)), "memory": Quantity(memoryBytes, format: .binarySI),
            "pods": Quantity(Int64(pods)),
        ]
    }

    var json: JSONValue {
        [
            "cpu": .string(String(processors)), "memory": .string("\(memoryBytes / 1024)Ki"),
            "pods": .string(String(pods)),
        ]
    }
}
