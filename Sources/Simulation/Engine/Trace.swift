import Concurrency

/// What happened, line by line: as a hash always, as text where it is asked for.
final class Trace: Sendable {
    private struct State {
        /// FNV-1a, 64 bits.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        var lines: [String] = []
    }

    private let state = Locked(State())
    private let keepsLines: Bool
    private let time: SimulatedTime

    init(time: SimulatedTime, keepsLines: Bool) {
        self.time = time
        self.keepsLines = keepsLines
    }

    func add(_ line: String) {
        let milliseconds = time.monotonicNow() / .milliseconds(1)
        state.withLock { state in
            for byte in line.utf8 { state.hash = (state.hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
            state.hash = (state.hash ^ UInt64(milliseconds)) &* 0x0000_0100_0000_01b3
            if keepsLines { state.lines.append("\(Self.seconds(Int(milliseconds)))  \(line)") }
        }
    }

    /// `   12.034`
    private static func seconds(_ milliseconds: Int) -> String {
        let fraction = String(milliseconds % 1000)
        let text = "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
        return String(repeating: " ", count: max(0, 9 - text.count)) + text
    }

    var hash: UInt64 { state.withLock { $0.hash } }
    var lines: [String] { state.withLock { $0.lines } }
}
