import FoundationEssentials
import Subprocess

/// A server that is somebody else's: ends with the task that runs it, and with the tests, however they end.
public struct ControlPlaneProcess: Sendable {
    let program: String
    let arguments: [String]
    /// Takes what it says.
    let logPath: String

    public init(program: String, arguments: [String], logPath: String) {
        self.program = program
        self.arguments = arguments
        self.logPath = logPath
    }

    /// A database of its own, which is not kept.
    static func etcd(_ program: String, _ files: ControlPlaneFiles, port: Int, peerPort: Int) -> ControlPlaneProcess {
        ControlPlaneProcess(
            program: program,
            arguments: [
                "--data-dir=\(files.path("etcd"))", "--unsafe-no-fsync",
                "--listen-client-urls=http://127.0.0.1:\(port)", "--advertise-client-urls=http://127.0.0.1:\(port)",
                "--listen-peer-urls=http://127.0.0.1:\(peerPort)",
                "--initial-advertise-peer-urls=http://127.0.0.1:\(peerPort)",
                "--initial-cluster=default=http://127.0.0.1:\(peerPort)",
            ], logPath: files.path("etcd.log"))
    }

    /// Runs a program whose life hangs on a pipe: when nobody holds its other end any more, the program is killed, and
    /// also when the shell is told to stop.
    private static let script = """
        log=$1; shift
        exec 3<&0
        "$@" </dev/null 3<&- >"$log" 2>&1 & program=$!
        { cat <&3 >/dev/null; kill -KILL $program; } 2>/dev/null & guard=$!
        trap 'kill -KILL $program' TERM
        wait $program
        status=$?
        while kill -0 $program 2>/dev/null; do wait $program; done
        kill $guard
        exit $status
        """

    private struct HeldOpen: InputProtocol {
        /// Never ends before the task that runs the program.
        func write(with writer: StandardInputWriter) async {
            let (never, end) = AsyncStream.makeStream(of: Void.self)
            for await _ in never {}
            end.finish()
        }
    }

    /// Runs until cancelled; throws when the program ends before.
    public func run() async throws {
        var options = PlatformOptions()
        options.teardownSequence = [.send(signal: .terminate, allowedDurationToNextStep: .seconds(10))]
        let result = try await Subprocess.run(
            .name("sh"), arguments: Arguments(["-c", Self.script, "sh", logPath, program] + arguments),
            platformOptions: options, input: HeldOpen(), output: .discarded, error: .discarded)
        if Task.isCancelled { return }
        throw TestClusterError("\(program) ended: \(result.terminationStatus)\n\(logEnd)")
    }

    /// The last lines of its log; of a program that crashed, those that say why.
    public var logEnd: String {
        guard let bytes = FileManager.default.contents(atPath: logPath) else { return "\(logPath) cannot be read" }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        if let crash = lines.firstIndex(where: { $0.hasPrefix("panic:") || $0.hasPrefix("fatal error:") }) {
            return "\(logPath):\n" + lines[crash...].prefix(40).joined(separator: "\n")
        }
        return "the end of \(logPath):\n" + lines.suffix(20).joined(separator: "\n")
    }
}

/// Why a cluster for tests cannot be had.
public struct TestClusterError: Error, Sendable, CustomStringConvertible {
    public var description: String
    init(_ description: String) { self.description = description }
}
