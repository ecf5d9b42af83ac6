import APIServerModel
import FoundationEssentials
import Glibc
import LocalCluster
import Testing

extension TestCluster {
    /// Takes the API server away while `body` runs: of LocalCluster from all but its administrator, whose watches end too; a real
    /// one stands still, and answers nobody.
    public func withServerAway(_ body: () async throws -> Void) async throws {
        switch server {
        case .local(let handle):
            await handle.inject(
                ClusterFault(.drop, count: .max) { $0.user?.name != ClusterHandle.adminName })
            await handle.endWatches()
            do {
                try await body()
            } catch {
                await handle.clearFaults()
                throw error
            }
            await handle.clearFaults()
        case .started(let files, _, _):
            let process = try Self.process(withArgument: "--cert-dir=\(files.directory)")
            kill(process, SIGSTOP)
            defer { kill(process, SIGCONT) }
            try await body()
        case .existing: try Test.cancel("an existing cluster's server is not ours to stop")
        }
    }

    private static func process(withArgument argument: String) throws -> pid_t {
        for process in MachineProcess.all() where process.arguments.contains(argument) {
            // The shell that keeps it has the same arguments after its own.
            if process.arguments.first?.hasSuffix("sh") == false { return process.id }
        }
        throw TestClusterError("no process has the argument \(argument)")
    }
}

/// A process of this machine, as `/proc` tells of it.
public struct MachineProcess: Sendable {
    public var id: pid_t
    /// The program first.
    public var arguments: [String]

    /// All of them, but those that have ended meanwhile.
    public static func all() -> [MachineProcess] {
        let entries: [String]
        do {
            entries = try FileManager.default.contentsOfDirectory(atPath: "/proc")
        } catch {
            return []
        }
        return entries.compactMap { pid_t($0) }.compactMap { id in
            let words = strings(id, "cmdline")
            return words.isEmpty ? nil : MachineProcess(id: id, arguments: words)
        }
    }

    /// `NAME=value`, as it was started with; empty where that may not be read.
    public var environment: [String] { Self.strings(id, "environ") }

    private static func strings(_ id: pid_t, _ file: String) -> [String] {
        // Files of /proc have no size that could be asked for.
        let descriptor = open("/proc/\(id)/\(file)", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }
}
