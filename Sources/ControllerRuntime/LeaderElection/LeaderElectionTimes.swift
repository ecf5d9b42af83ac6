/// The times of a leader election.
public struct LeaderElectionTimes: Sendable, Hashable {
    /// How long a candidate leaves a leader alone whose record it does not see change.
    public let leaseDuration: Duration
    /// How long a leader that cannot renew its lease still starts writes, counted from the last try that succeeded.
    public let renewDeadline: Duration
    /// Between tries; candidates wait up to 1.2 times as long again, so that they do not all come at once.
    public let retryPeriod: Duration

    /// client-go's.
    public static let standard = LeaderElectionTimes(
        uncheckedLeaseDuration: .seconds(15), renewDeadline: .seconds(10), retryPeriod: .seconds(2))

    private init(uncheckedLeaseDuration: Duration, renewDeadline: Duration, retryPeriod: Duration) {
        leaseDuration = uncheckedLeaseDuration
        self.renewDeadline = renewDeadline
        self.retryPeriod = retryPeriod
    }

    /// Throws unless lease duration > renew deadline > 1.2 × retry period > 0, in whole seconds for the first.
    public init(leaseDuration: Duration, renewDeadline: Duration, retryPeriod: Duration) throws(Invalid) {
        guard leaseDuration.components.attoseconds == 0, leaseDuration.components.seconds <= 3600 else {
            throw Invalid(description: "the lease duration must be whole seconds, at most 3600")
        }
        guard leaseDuration > renewDeadline else {
            throw Invalid(description: "the lease duration must be longer than the renew deadline")
        }
        guard renewDeadline > retryPeriod * Self.jitter, retryPeriod > .zero else {
            throw Invalid(
                description: "the renew deadline must be longer than 1.2 times the retry period, which is positive")
        }
        self.init(
            uncheckedLeaseDuration: leaseDuration, renewDeadline: renewDeadline, retryPeriod: retryPeriod)
    }

    static let jitter = 1.2

    /// Which times do not go together.
    public struct Invalid: Error, Sendable, CustomStringConvertible {
        /// What must hold.
        public let description: String
    }

    var leaseSeconds: Int { Int(leaseDuration.components.seconds) }
}
