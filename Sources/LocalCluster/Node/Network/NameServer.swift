import Concurrency
import Logging
internal import NIOCore
internal import NIOPosix

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// Answers the questions of pods for the cluster's names, by UDP and by TCP.
struct NameServer: Sendable {
    private let channels: [any Channel]
    private let logger: Logger

    /// - Parameter answer: called on event loops.
    static func listen(
        on address: String, port: Int, logger: Logger,
        answer: @escaping @Sendable (DNSQuery) -> DNSAnswer
    ) async throws -> NameServer {
        for _ in 0..<10 where port == 0 {
            do {
                return try await listen(at: address, port: 0, logger, answer)
            } catch let error as IOError where error.errnoCode == EADDRINUSE {
                // A port that is free for datagrams may be somebody's connection: another one is not, as a rule.
            }
        }
        return try await listen(at: address, port: port, logger, answer)
    }

    private static func listen(
        at address: String, port: Int, _ logger: Logger, _ answer: @escaping @Sendable (DNSQuery) -> DNSAnswer
    ) async throws -> NameServer {
        let group = MultiThreadedEventLoopGroup.singleton
        let datagrams = try await DatagramBootstrap(group: group)
            .channelOption(.socketOption(.so_reuseaddr), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(DNSDatagramHandler(answer: answer))
                }
            }
            .bind(host: address, port: port).get()
        do {
            let connections = try await ServerBootstrap(group: group)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let pipeline = channel.pipeline.syncOperations
                        try pipeline.addHandler(IdleStateHandler(readTimeout: DNSConnectionHandler.idleLimit))
                        try pipeline.addHandler(DNSConnectionHandler(answer: answer))
                    }
                }
                .bind(host: address, port: datagrams.localAddress?.port ?? port).get()
            return NameServer(channels: [datagrams, connections], logger: logger)
        } catch {
            await NameServer(channels: [datagrams], logger: logger).close()
            throw error
        }
    }

    var port: Int? { channels.first?.localAddress?.port }

    func close() async {
        for channel in channels {
            do {
                try await channel.close()
            } catch {
                logger.debug("a listener was closed already", metadata: ["error": "\(error)"])
            }
        }
    }
}
