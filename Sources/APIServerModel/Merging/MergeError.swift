import KubernetesModel

/// Why a patch could not be applied.
public struct MergeError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Reason: Sendable, Hashable {
        /// The patch itself is malformed: 400.
        case malformed
        /// The patch does not fit the object, as a failed `test`: 422.
        case inapplicable
        /// What Kubernetes calls an internal error: 500.
        case unexpected
    }

    public var reason: Reason
    public var description: String

    init(_ reason: Reason, _ description: String) {
        self.reason = reason
        self.description = description
    }

    public var status: KubernetesStatus {
        switch reason {
        case .malformed: KubernetesStatus(code: 400, reason: "BadRequest", message: description)
        case .unexpected: KubernetesStatus(code: 500, reason: "", message: description)
        case .inapplicable:
            KubernetesStatus(
                code: 422, reason: "Invalid",
                message: "the server rejected our request due to an error in our request: \(description)")
        }
    }
}
