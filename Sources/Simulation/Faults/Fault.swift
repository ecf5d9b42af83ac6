/// One thing that goes wrong, and when.
public struct Fault: Sendable, Hashable, CustomStringConvertible {
    public enum Trigger: Sendable, Hashable {
        /// The operator's n-th write but for Events, from 1.
        case write(Int)
        /// The operator's n-th write of a scale, from 1: mostly such as send a model to sleep.
        case scale(Int)
        /// The operator's n-th write of an Event, from 1.
        case event(Int)
        /// The operator's n-th request, from 1.
        case call(Int)
        /// So many milliseconds after the start.
        case time(Int)
        /// So many milliseconds after a person's n-th act, from 0.
        case act(Int, after: Int)
    }

    public enum Effect: Sendable, Hashable {
        /// The process dies, before or after the request is carried out, and starts again `down` milliseconds later on a
        /// cache that is so many writes behind.
        case crash(after: Bool, down: Int, behind: Int)
        /// The server says no, so often in a row, to requests of the same verb and kind.
        case refuse(code: Int, retryAfter: String?, count: Int)
        /// The request is carried out, and its answer lost.
        case loseAnswer
        /// The request never arrives.
        case drop
        /// The caller gives up after 30 s; the request is carried out so many milliseconds after it was sent.
        case late(Int)
        /// A kind's watches come so many milliseconds late, for so long.
        case lag(String, Int, lasting: Int)
        /// Changes of one object come as one, for so many milliseconds.
        case collapse(String, lasting: Int)
        /// A kind's watches end, and what comes before the next list is not seen.
        case close(String)
        /// A kind's watches end, and none can be opened for so many milliseconds; what they begin at may be too old then.
        case outage(String, lasting: Int, isGone: Bool)
        /// The version that a kind's next watch begins at is too old, and so is that of the list that follows, after its
        /// first page.
        case gone(String, asEvent: Bool)
        /// The server forgets all changes up to now.
        case compact
        /// A replica stands still for so many milliseconds: what it has sent arrives later.
        case pause(replica: Int, Int)
        /// A replica's connections break, and it makes none for so many milliseconds.
        case cutOff(replica: Int, Int)
        /// Nobody reaches the server for so many milliseconds.
        case serverAway(Int)
        /// A pod that serves is gone, with what it had under way.
        case killPod
        /// The server refuses, so often, to have a sleeping Deployment scaled up.
        case refuseWake(code: Int, count: Int)
        /// To the gateway's pod of this number, modulo how many there are.
        case gateway(Int, GatewayFault)
        /// A replica's wall clock is set so many milliseconds ahead, or back.
        case clockSet(replica: Int, Int)
    }

    /// What happens to a pod of the gateway.
    public enum GatewayFault: Sendable, Hashable {
        /// It is gone, and another takes its place.
        case kill
        /// Its program dies, and the pod starts it anew.
        case restart
        /// It is told to end, as at a roll-out or an eviction.
        case stop
        /// It serves, and does not say what it has to do, for so many milliseconds.
        case deaf(Int)
        /// Its watches come so many milliseconds late, for so long.
        case late(Int, lasting: Int)
    }

    public var trigger: Trigger
    public var effect: Effect

    public init(_ trigger: Trigger, _ effect: Effect) {
        self.trigger = trigger
        self.effect = effect
    }

    /// The number of the perturbation in `docs/simulation.md`.
    public var perturbation: String {
        switch effect {
        case .crash(_, _, let behind): behind > 0 ? "P4" : "P1"
        case .refuse(code: 409, _, _): "P7"
        case .refuse: "P8"
        case .loseAnswer, .drop: "P9"
        case .late: "P13"
        case .lag, .gateway(_, .late): "P3"
        case .collapse, .close, .outage: "P5"
        case .gone, .compact: "P6"
        case .pause, .cutOff, .clockSet, .serverAway: "P13"
        case .killPod, .refuseWake, .gateway(_, .deaf): "P18"
        case .gateway: "P19"
        }
    }

    public var description: String {
        let when =
            switch trigger {
            case .write(let number): "at write \(number)"
            case .scale(let number): "at scale \(number)"
            case .event(let number): "at event \(number)"
            case .call(let number): "at request \(number)"
            case .time(let milliseconds): "at \(milliseconds) ms"
            case .act(let number, let milliseconds): "\(milliseconds) ms after act \(number)"
            }
        return "\(perturbation) \(when): \(effect)"
    }
}

extension Fault {
    /// The server says that it would never take what it takes in truth: only a person's request starts anew after it.
    var isLie: Bool {
        if case .refuse(let code, _, _) = effect { return code == 422 || code == 404 }
        return false
    }
}
