import Concurrency
import ControllerRuntime
import KubernetesClient
import KubernetesModel
import Logging

/// Finds out which image the operator runs, from its own Pod. The operator works without knowing it.
final class OwnImage: Sendable {
    /// How often a pod is read that does not say yet what it runs.
    private static let patience = 6
    private static let longestPause: Duration = .seconds(300)

    private let pod: ObjectKey?
    private let client: KubernetesClient
    private let time: any TimeSource
    private let logger: Logger
    private let metrics: MetricsRegistry
    private let known = Locked<OperatorImage?>(nil)

    /// - Parameters:
    ///   - told: what a person has said it is, which is not asked again.
    ///   - pod: the operator's own; nil where it runs in none.
    init(
        told: String?, pod: ObjectKey?, client: KubernetesClient, time: any TimeSource, logger: Logger,
        metrics: MetricsRegistry
    ) {
        self.pod = pod
        self.client = client
        self.time = time
        self.logger = logger
        self.metrics = metrics
        if let told { known.withLock { $0 = OperatorImage(reference: told) } }
    }

    /// Nil outside of a pod, and until the pod was read.
    var current: OperatorImage? { known.withLock { $0 } }

    /// Reads the pod until its image is known, however long that takes; says once why it is not.
    func learn() async {
        if let image = current { return report(image) }
        guard let pod else {
            logger.info("not in a pod: the operator's own image is not known")
            return
        }
        var complaint: String?
        for attempt in 0... {
            do throws(KubernetesError) {
                if let image = OperatorImage(pod: try await client.get(.pods, pod)) {
                    known.withLock { $0 = image }
                    if image.isStarted || attempt + 1 >= Self.patience { return report(image) }
                }
            } catch {
                if error.isCancelled { return }
                if complaint != error.description {
                    complaint = error.description
                    logger.warning(
                        "the operator's own pod cannot be read, so its image is not known",
                        metadata: ["pod": "\(pod)", "error": "\(error)"])
                }
            }
            do {
                try await time.sleep(for: min(Self.longestPause, .seconds(1 << min(attempt, 16))))
            } catch {
                return
            }
        }
    }

    private func report(_ image: OperatorImage) {
        metrics.gauge("assay_operator_image_info", [("image", image.reference)]).set(1)
        logger.info(
            "own image",
            metadata: [
                "image": "\(image.reference)", "pullSecrets": "\(image.pullSecrets.joined(separator: " "))",
            ])
    }
}
