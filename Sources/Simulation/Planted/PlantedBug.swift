/// A mistake that controllers are known to make, put into a simulated operator to see whether it is caught.
///
/// It sits on the wire between the operator and the server and changes what the one sees or the other is asked, so that
/// the operator's own code has no switch for it.
public struct PlantedBug: Sendable, Hashable, CustomStringConvertible {
    /// The classes of Sieve (OSDI 2022).
    public enum Class: String, Sendable, Hashable, CaseIterable {
        /// Acts on a view of the world that is out of date.
        case staleState = "stale state"
        /// Does not go on from where a write failed or a process died.
        case intermediateState = "intermediate state"
        /// Needs to see every change, and misses one.
        case unobservedState = "unobserved state"
    }

    /// What becomes of requests or answers that concern `plural`.
    enum Quirk: Sendable, Hashable {
        /// A read that asks for the truth is answered from what the watch has told.
        case readsCache
        /// The field of a change's or a deletion's metadata that names what was read is missing.
        case forgets(uidOf: String)
        /// A new status does not name the version of the old one.
        case forgetsVersion
        /// A write that the server refuses with a conflict or an error of its own is taken for done.
        case swallowsError(method: String)
        /// After a restart such writes are taken for done before the crash.
        case assumesDoneAfterRestart(method: String)
        /// Deletions are not seen.
        case missesDeletions
        /// Of events that arrive together only the first is looked at.
        case readsFirstOfBatch
        /// A watch that ended begins again at the present, and what came between is lost.
        case resumesAtPresent
        /// What comes while a write is under way is lost.
        case isDeafWhileItWrites
        /// A later list adds, but takes nothing away.
        case listNeverRemoves
        /// The operator scales without the version of the Deployment that it has read.
        case forgetsScaleVersion
        /// The gateway scales without it.
        case wakesWithoutVersion
        /// The gateway goes on sending requests to pods that are about to be sent to sleep.
        case forwardsWhileDraining
        /// The operator asks the gateways what they have, and not by which state of the traffic.
        case ignoresGenerations
        /// A gateway that does not answer has nothing to do.
        case takesSilenceForRest
    }

    public var name: String
    public var kind: Class
    /// What is wrong, in a sentence.
    public var sentence: String
    var plural: String
    var quirk: Quirk

    /// Only the protocol of sleep and waking can suffer from it.
    public var concernsSleep: Bool {
        switch quirk {
        case .forgetsScaleVersion, .wakesWithoutVersion, .forwardsWhileDraining, .ignoresGenerations,
            .takesSilenceForRest:
            true
        default: false
        }
    }

    public var description: String { "\(name) (\(kind.rawValue)): \(sentence)" }

    init(_ name: String, _ kind: Class, _ plural: String, _ quirk: Quirk, _ sentence: String) {
        self.name = name
        self.kind = kind
        self.plural = plural
        self.quirk = quirk
        self.sentence = sentence
    }
}
