import AssayCore
import Concurrency
import ControllerRuntime
import HTTPServer
import KubernetesModel
import Logging
import NIOCore
import NIOPosix
import OpenSSL

/// A reverse proxy in front of models: takes requests at each model's port, gives them to the pods of the revision that
/// is next, and holds them while a revision that sleeps is woken.
public final class Gateway: Sendable {
    /// How it runs.
    public struct Configuration: Sendable {
        /// The address to listen on.
        public var host: String
        /// The port that all models share, by host name; nil for none.
        public var sharedPort: Int?
        /// The port that all models share by TLS. It is opened once there is a certificate; see ``Gateway/renew(_:)``.
        public var sharedTLSPort: Int?
        /// Event loops.
        public var threads: Int
        public var limits: GatewayLimits
        /// The name of its pod, by which it knows its part of what all of them share; nil for one that is alone.
        public var instance: String?

        /// A configuration.
        public init(
            host: String = "0.0.0.0", sharedPort: Int? = nil, sharedTLSPort: Int? = nil, threads: Int = 1,
            limits: GatewayLimits = .init(), instance: String? = nil
        ) {
            self.sharedTLSPort = sharedTLSPort
            self.instance = instance
            self.host = host
            self.sharedPort = sharedPort
            self.threads = threads
            self.limits = limits
        }
    }

    private struct WakeRequest: Sendable {
        var model: ObjectKey
        var revision: String
        var deployment: ObjectKey
    }

    private let configuration: Configuration
    private let waker: any Waker
    private let callers: (any CallerReviews)?
    private let tls: Locked<TLSContext?>
    private let time: any TimeSource
    private let logger: Logger
    private let group: MultiThreadedEventLoopGroup
    private let threads: [GatewayThread]
    private let controlLoop: any EventLoop
    private let control: NIOLoopBoundBox<GatewayControl>
    private let wakes: (stream: AsyncStream<WakeRequest>, continuation: AsyncStream<WakeRequest>.Continuation)
    private let reviews: (stream: AsyncStream<ReviewRequest>, continuation: AsyncStream<ReviewRequest>.Continuation)
    private let stop: (stream: AsyncStream<Never>, continuation: AsyncStream<Never>.Continuation)
    private let opening = Opening()

    /// - Parameters:
    ///   - waker: scales up what sleeps.
    ///   - callers: finds out who calls. Without it nobody reaches a model that asks for that.
    ///   - metrics: takes what is measured.
    ///   - onListening: told which ports connections are taken on, whenever that changes.
    public init(
        _ configuration: Configuration, waker: any Waker, callers: (any CallerReviews)? = nil, metrics: GatewayMetrics,
        time: any TimeSource = SystemTime(), logger: Logger,
        onListening: @escaping @Sendable (Set<Int>) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.waker = waker
        self.callers = callers
        self.time = time
        self.logger = logger
        wakes = AsyncStream.makeStream()
        reviews = AsyncStream.makeStream()
        stop = AsyncStream.makeStream()
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, configuration.threads))
        self.group = group
        let asking = Self.asking(callers, reviews.continuation, time)
        let ports = Self.ports(wakes.continuation, asking, metrics, logger)
        let tls = Locked<TLSContext?>(nil)
        self.tls = tls
        var limits = configuration.limits
        limits.server.connections = max(1, limits.server.connections / max(1, configuration.threads))
        let threads = group.makeIterator().map { [limits] in GatewayThread($0, limits: limits, ports: ports) }
        self.threads = threads
        let controlLoop = threads[0].loop
        self.controlLoop = controlLoop
        let listeners = Listeners(
            loop: controlLoop, metrics: metrics, logger: logger, opening: opening, onChange: onListening
        ) { port in
            Self.listen(on: port, configuration, tls, group, threads)
        }
        control = .makeBoxSendingValue(
            GatewayControl(
                loop: controlLoop, threads: threads, limits: configuration.limits, metrics: metrics,
                sharedPort: configuration.sharedPort, tlsPort: configuration.sharedTLSPort,
                instance: configuration.instance, listeners: listeners),
            eventLoop: controlLoop)
        metrics.registry.beforeExposition { [weak self] in self?.measure(metrics) }
    }

    private static func ports(
        _ continuation: AsyncStream<WakeRequest>.Continuation, _ callers: CallerPort, _ metrics: GatewayMetrics,
        _ logger: Logger
    ) -> GatewayPorts {
        GatewayPorts(
            wake: { model, revision in
                let deployment = ObjectKey(namespace: model.namespace, name: revision.deployment)
                continuation.yield(
                    WakeRequest(model: model, revision: revision.share.revision, deployment: deployment))
            }, callers: callers, metrics: metrics, logger: logger)
    }

    private static func asking(
        _ callers: (any CallerReviews)?, _ continuation: AsyncStream<ReviewRequest>.Continuation,
        _ time: any TimeSource
    ) -> CallerPort {
        CallerPort(
            now: { time.wallNow() },
            remembered: { token in
                guard let callers else { return .unavailable(retryAfter: 60) }
                return callers.remembered(token)
            },
            review: { continuation.yield($0) })
    }

    private static func listen(
        on port: Int, _ configuration: Configuration, _ tls: Locked<TLSContext?>, _ group: MultiThreadedEventLoopGroup,
        _ threads: [GatewayThread]
    ) -> EventLoopFuture<any Channel> {
        let isSecure = port == configuration.sharedTLSPort
        let entrance: Entrance = isSecure || port == configuration.sharedPort ? .shared : .port(port)
        return ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard let thread = threads.first(where: { $0.loop === channel.eventLoop }) else {
                        throw ChannelError.inappropriateOperationForState
                    }
                    let context = isSecure ? tls.withLock { $0 } : nil
                    // A port that is for TLS speaks nothing else.
                    guard isSecure == (context != nil) else { throw ChannelError.inappropriateOperationForState }
                    try ClientHandler(thread.box.value, entrance, isSecure: isSecure).install(in: channel, tls: context)
                }
            }
            .bind(host: configuration.host, port: port)
    }

    // MARK: What is routed

    /// A model changed.
    public func take(_ change: StoreChange<ModelRecord>) {
        onControl { control in
            control.change(ofModel: true) { table in
                switch change {
                case .added(let model), .modified(_, let model): table.apply(model)
                case .deleted(let model): table.remove(model: model.metadata.key)
                }
            }
        }
    }

    /// A pod changed.
    public func take(_ change: StoreChange<PodRecord>) {
        let thread = threads[0]
        onControl { control in
            control.change(ofModel: false) { table in
                switch change {
                case .added(let pod), .modified(_, let pod): table.apply(pod)
                case .deleted(let pod): table.remove(pod)
                }
            }
            switch change {
            case .added(let pod), .modified(_, let pod): control.saw(pod, now: thread.box.value.now)
            case .deleted(let pod): control.lost(pod)
            }
        }
    }

    /// Gives connections to the shared port that are accepted from now on this certificate; those that are open go on. The
    /// first one opens the port.
    public func renew(_ context: TLSContext) {
        tls.withLock { $0 = context }
        onControl { $0.openTLS() }
    }

    /// All models and pods that there are have been taken.
    public func completeBeginning() { onControl { $0.completeBeginning() } }

    /// Whether the ports of all models that there were at the beginning have been opened.
    public var openingHealth: Health { opening.health }

    private func onControl(_ body: @escaping @Sendable (GatewayControl) -> Void) {
        let control = control
        controlLoop.execute { body(control.value) }
    }

    private func measure(_ metrics: GatewayMetrics) {
        // What the loops have is a little old, so that the exposition need not wait for them.
        let gauge = metrics.registry.gauge("assay_gateway_connections")
        let total = Locked(0)
        for thread in threads {
            thread.run { context in
                let sum = total.withLock { total in
                    total += context.clientCount
                    return total
                }
                gauge.set(Double(sum))
            }
        }
    }

    /// What there is to do, as whoever leads is told.
    public func load(isEnding: Bool) async throws -> GatewayLoad {
        let (control, box) = (control, threads[0].box)
        return try await controlLoop.submit {
            let now = box.value.now
            let (seconds, attoseconds) = now.components
            return GatewayLoad(
                time: Double(seconds) + Double(attoseconds) * 1e-18, isEnding: isEnding,
                models: control.value.load(now: now))
        }.get()
    }

    // MARK: Running

    /// Asks it to stop: it takes no more connections after a while, and ends when the requests in flight have.
    public func shutdown() { stop.continuation.finish() }

    /// Serves until ``shutdown()``, then until the requests in flight have ended or their time is over. A cancellation
    /// ends it at once. A gateway runs once.
    public func run() async throws {
        for thread in threads { thread.run { $0.start() } }
        // The shared port is open before there is a model.
        onControl { $0.change(ofModel: true) { _ in nil } }
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await self.wakeWhatSleeps() }
            tasks.addTask { await self.reviewWhoCalls() }
            for await _ in stop.stream {}
            await drain()
            tasks.cancelAll()
        }
        for thread in threads {
            thread.run { context in
                context.stop()
                context.closeClients()
            }
        }
        onControl { $0.listeners.close() }
        try await group.shutdownGracefully()
    }

    private func drain() async {
        let limits = configuration.limits
        do {
            // Clients hear it with their answers, while they still find us; few are idle when their connections end.
            for thread in threads { thread.run { $0.drain() } }
            let order = time.monotonicNow()
            try await time.sleep(for: limits.drainDelay)
            // Where the cluster hears of it late, as without an operator, users are still led here.
            let latest = order + limits.drainDelay + limits.drainTimeout / 2
            while try await quietTime() < limits.drainDelay, time.monotonicNow() < latest {
                try await time.sleep(for: .milliseconds(50))
            }
            onControl { $0.listeners.close() }
            for thread in threads { thread.run { $0.closeIdle() } }
            let end = order + limits.drainDelay + limits.drainTimeout
            while try await clientCount() > 0, time.monotonicNow() < end {
                try await time.sleep(for: .milliseconds(50))
            }
        } catch {
            logger.info("stopping at once")
        }
    }

    private func clientCount() async throws -> Int { try await ask { $0.clientCount }.reduce(0, +) }

    private func quietTime() async throws -> Duration { try await ask { $0.quietTime }.min() ?? .zero }

    private func ask<Answer: Sendable>(_ question: @escaping @Sendable (LoopContext) -> Answer) async throws -> [Answer]
    {
        var answers: [Answer] = []
        for thread in threads {
            let box = thread.box
            answers.append(try await thread.loop.submit { question(box.value) }.get())
        }
        return answers
    }

    private func wakeWhatSleeps() async {
        await withDiscardingTaskGroup { tasks in
            for await request in wakes.stream {
                tasks.addTask { await self.wake(request) }
            }
            tasks.cancelAll()
        }
    }

    private func reviewWhoCalls() async {
        guard let callers else { return }
        await withDiscardingTaskGroup { tasks in
            for await request in reviews.stream {
                tasks.addTask { request.done(await callers.review(request.token, for: request.namespace)) }
            }
            tasks.cancelAll()
        }
    }

    private func wake(_ request: WakeRequest) async {
        logger.info("waking", metadata: ["model": "\(request.model)", "deployment": "\(request.deployment.name)"])
        let outcome = await waker.wake(request.deployment)
        if case .failed(let reason) = outcome {
            logger.error("waking failed", metadata: ["model": "\(request.model)", "reason": "\(reason)"])
        }
        let threads = threads
        onControl { control in
            let now = threads[0].box.value.now
            control.wakeFinished(request.model, request.revision, outcome, now: now)
        }
    }
}
