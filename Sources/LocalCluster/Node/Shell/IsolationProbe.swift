import Concurrency
import Files
import Glibc

/// Finds out how much this system lets containers be kept apart, by trying.
struct IsolationProbe: Sendable {
    var options: NodeOptions
    var processes: ProcessThread

    /// - Returns: what is possible, and why no more is.
    func find() async -> (ContainerLaunch.Isolation, reason: String) {
        let root = "\(options.dataDirectory)/probe-\(getpid())"
        do {
            try FileSystem.makeDirectories(root)
        } catch {
            return (.none, "\(error)")
        }
        var reason = ""
        defer { rmdir(root) }
        for isolation in geteuid() == 0 ? [ContainerLaunch.Isolation.full, .user] : [.user] {
            var launch = ContainerLaunch(
                isolation: isolation, parent: getpid(), workingDirectory: "/",
                environment: ["PATH": "/usr/bin:/bin"], command: ["true"])
            launch.root = root
            do throws(ProcessStartError) {
                let (ends, signal) = AsyncStream.makeStream(of: Void.self)
                _ = try await processes.start(launch, output: .capture(0)) { _ in signal.finish() }
                for await _ in ends {}
                return (isolation, reason)
            } catch {
                reason = error.description
            }
        }
        return (.none, reason)
    }
}
