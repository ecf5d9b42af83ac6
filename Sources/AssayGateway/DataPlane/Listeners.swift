import ControllerRuntime
import Logging
import NIOCore
import NIOPosix

/// The ports that are listened on. Confined to one event loop.
final class Listeners {
    private enum State {
        case opening
        case open(any Channel)
        case failed
    }

    private let loop: any EventLoop
    private let open: @Sendable (Int) -> EventLoopFuture<any Channel>
    private let failures: MetricSeries
    private let logger: Logger
    private var states: [Int: State] = [:]
    private var wanted: Set<Int> = []
    private var isClosed = false
    private let opening: Opening
    /// Whether all that was there at the beginning is among what is wanted.
    private var knowsAll = false
    /// Told which ports are open, whenever that changes.
    private let onChange: @Sendable (Set<Int>) -> Void

    /// - Parameters:
    ///   - opening: told which ports are missing at the beginning.
    ///   - open: listens on a port.
    init(
        loop: any EventLoop, metrics: GatewayMetrics, logger: Logger, opening: Opening,
        onChange: @escaping @Sendable (Set<Int>) -> Void,
        open: @escaping @Sendable (Int) -> EventLoopFuture<any Channel>
    ) {
        self.loop = loop
        self.logger = logger
        self.open = open
        self.opening = opening
        self.onChange = onChange
        failures = metrics.registry.counter("assay_gateway_listener_failures_total")
    }

    /// Takes the ports that are to be open from now on.
    func update(_ ports: Set<Int>) {
        wanted = ports
        if isClosed { return }
        for (port, state) in states where !ports.contains(port) {
            if case .open(let channel) = state {
                channel.close(promise: nil)
                states[port] = nil
                onChange(openPorts)
            }
        }
        for port in ports where states[port] == nil { start(port) }
        noteMissing()
    }

    /// From now on what is wanted is all that was there at the beginning, or more.
    func completeBeginning() {
        knowsAll = true
        noteMissing()
    }

    private func noteMissing() {
        if knowsAll, !isClosed { opening.note(missing: wanted.subtracting(openPorts)) }
    }

    /// Ports that connections are taken on.
    var openPorts: Set<Int> {
        Set(states.compactMap { if case .open = $0.value { $0.key } else { nil } })
    }

    /// Takes no more connections.
    func close() {
        isClosed = true
        for case .open(let channel) in states.values { channel.close(promise: nil) }
        states.removeAll()
    }

    private func start(_ port: Int) {
        states[port] = .opening
        open(port).hop(to: loop).assumeIsolated().whenComplete { [self] result in
            switch result {
            case .success(let channel): opened(port, channel)
            case .failure(let error): failed(port, error)
            }
        }
    }

    private func opened(_ port: Int, _ channel: any Channel) {
        guard !isClosed, wanted.contains(port) else {
            states[port] = nil
            return channel.close(promise: nil)
        }
        states[port] = .open(channel)
        noteMissing()
        onChange(openPorts)
        logger.debug("listening", metadata: ["port": "\(port)"])
    }

    private func failed(_ port: Int, _ error: any Error) {
        states[port] = .failed
        failures.increment()
        logger.error("cannot listen", metadata: ["port": "\(port)", "error": "\(error)", "next": "in 5 s"])
        loop.assumeIsolated().scheduleTask(in: .seconds(5)) { [self] in
            states[port] = nil
            if wanted.contains(port), !isClosed { start(port) }
        }
    }
}
