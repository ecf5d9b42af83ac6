import ControllerRuntime
import CurlTransport
import KubernetesClient
import Logging

/// The controller that is measured, written with ControllerRuntime.
@main
struct AssayBench {
    static func main() async throws {
        let options = try Options(Array(CommandLine.arguments.dropFirst()))
        let logger = Logger(label: "bench") { StreamLogHandler.standardError(label: $0) }
        let cluster = try ClientConfiguration.discover()
        let transport = try CurlTransport(cluster.transport)
        defer { transport.shutdown() }
        let client = KubernetesClient(transport: transport, credentials: cluster.credentials)
        await WidgetController(client: client, options: options, logger: logger).run()
    }
}
