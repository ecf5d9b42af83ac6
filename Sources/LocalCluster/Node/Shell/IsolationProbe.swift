import Concurrency
import Glibc

/// Finds out how much this system lets containers be kept apart, by trying.
struct IsolationProbe: Sendable {
    var options: NodeOptions
    var processes: ProcessThread

    func find() async -> ContainerLaunch.Isolation {
        let root = "\(options.dataDirectory)/probe-\(getpid())"
        do {
            try FileSystem.makeDirectories(root)
        } catch {
            return .none
        }
        defer { rmdir(root) }
        for isolation in geteuid() == 0 ? [ContainerLaunch.Isolation.full] : [.user] {
            var launch = ContainerLaunch(
                isolation: isolation, parent: getpid(), workingDirectory: "/",
                environment: ["PATH": "/usr/bin:/bin"], command: ["true"])
            launch.root = root
            do throws(ProcessStartError) {
                let (ends, signal) = AsyncStream.makeStream(of: Void.self)
                _ = try await processes.start(launch, output: .capture(0)) { _ in signal.finish() }
                for await _ in ends {}
                return isolation
            } catch {
                continue
            }
        }
        return .none
    }
}
