import Concurrency
import Files
import Glibc

/// How a node runs pods.
public struct NodeOptions: Sendable {
    /// The node's name, and its host name label.
    public var name: String
    /// Absolute. Images, volumes of claims, logs and pods' files are kept here; one node uses it at a time.
    public var dataDirectory: String
    /// Image names and the directories that they stand for.
    public var images: [String: String] = [:]
    /// The program whose `node-exec` subcommand starts containers.
    public var executable: String
    public var network = NodeNetworkOptions()
    public var restartBackoff = RestartBackoff()
    public var pullBackoff = RestartBackoff()
    /// How often the node says that it is alive.
    public var heartbeat: Duration = .seconds(10)
    /// How long containers have to stop when the node itself stops.
    public var stopGrace: Duration = .seconds(2)
    public var time: any TimeSource = SystemTime()

    public init(name: String, dataDirectory: String, executable: String? = nil) {
        self.name = name
        self.dataDirectory = dataDirectory
        self.executable = executable ?? Self.ownExecutable
    }

    /// The path of the running program: the child must find it wherever it is.
    private static var ownExecutable: String {
        do throws(FileError) {
            return try FileSystem.linkTarget("/proc/self/exe")
        } catch {
            return "/proc/self/exe"
        }
    }
}

/// How a node's pods reach each other.
public struct NodeNetworkOptions: Sendable, Hashable {
    public enum Mode: String, Sendable, Hashable {
        /// A bridge where the system allows it, else the host's network.
        case automatic
        case bridge
        /// All pods share the host's loopback address, and with it its ports.
        case host
    }

    public var mode = Mode.automatic
    /// The first two bytes of pods' addresses; the node picks a /24 in it that nobody uses.
    public var podPrefix = "10.244"
    public var clusterDomain = "cluster.local"

    public init() {}
}
