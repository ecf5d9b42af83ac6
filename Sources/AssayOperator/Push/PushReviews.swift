import AssayCore
import Concurrency
import KubernetesClient
import KubernetesModel
import Logging

/// Whose a token is, by the API server's word. The end of a pod may go unnoticed for a minute; that of its attempt is in the caches.
struct PushReviews: Sendable {
    private let reviews: TokenReviews
    private let complaints: PushComplaints

    init(client: KubernetesClient, time: any TimeSource, complaints: PushComplaints) {
        reviews = TokenReviews(
            client: client, audience: PushChannel.audience, fieldManager: FieldManager.spec, time: time)
        self.complaints = complaints
    }

    /// How many are remembered.
    var count: Int { reviews.count }

    func identity(of token: String) async throws(PushRefusal) -> PushIdentity {
        switch await reviews.account(of: token) {
        case .account(let account):
            complaints.settle("review")
            if let identity = PushIdentity(account) { return identity }
        case .nobody: complaints.settle("review")
        case .busy: throw .unavailable("too many tokens are being reviewed", retryAfter: .seconds(1))
        case .failed(let error):
            complaints.tell("review", "tokens cannot be reviewed, so nobody can push", "\(error)")
            throw .unavailable("the token cannot be reviewed now", retryAfter: error.retryAfter ?? .seconds(5))
        }
        throw .unauthorized(
            "the token is none of a pod for the audience \(PushChannel.audience), or has expired; read it anew from the "
                + "file that \(PushChannel.tokenFileVariable) names")
    }
}
