import Glibc
import Search

/// A search by lines: what is searched for comes in, and so do the objectives; suggestions go out. `search.py` talks to it, so that ours
/// and the peer are asked about the very same functions.
///
///     search SEED
///     parameter NAME uniform|logUniform|integer MIN MAX, or parameter NAME categorical VALUE…
///     ask                      answered by NAME=VALUE …
///     tell OBJECTIVE
///     time                     answered by the milliseconds of processor time that one more suggestion takes
@main
struct SearchBench {
    private var seed = 0
    private var parameters: [SearchParameter] = []
    private var trials: [Trial] = []

    static func main() throws {
        var bench = SearchBench()
        while let line = readLine() {
            try bench.obey(line.split(separator: " ").map(String.init))
        }
    }

    private mutating func obey(_ words: [String]) throws {
        switch words.first {
        case "search":
            self = SearchBench()
            seed = try integer(words, 1)
        case "parameter":
            parameters.append(SearchParameter(try word(words, 1), try distribution(words)))
        case "ask":
            let values = try suggestion().values
            trials.append(Trial(number: trials.count, values: values))
            say(values.map { "\($0.key)=\($0.value)" }.sorted().joined(separator: " "))
        case "tell":
            guard !trials.isEmpty else { throw Complaint("nothing was asked that \(words) could tell of") }
            trials[trials.count - 1].state = .succeeded(objective: NumberText.parse(try word(words, 1)))
        case "time":
            let start = processorSeconds()
            _ = try suggestion()
            say("\((processorSeconds() - start) * 1e3)")
        default: throw Complaint("\(words) is no command")
        }
    }

    private func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }

    private func suggestion() throws -> Suggestion {
        let settings = try SearchSettings(
            space: SearchSpace(parameters), objective: SearchObjective(metric: "value", direction: .minimize),
            algorithm: .tpe(), seed: seed, numTrials: SearchSettings.mostTrials)
        guard let suggestion = settings.suggestion(number: trials.count, trials: trials) else {
            throw Complaint("there is no suggestion \(trials.count)")
        }
        return suggestion
    }

    private func distribution(_ words: [String]) throws -> Distribution {
        switch try word(words, 2) {
        case "uniform": .uniform(min: try number(words, 3), max: try number(words, 4))
        case "logUniform": .logUniform(min: try number(words, 3), max: try number(words, 4))
        case "integer": .integer(min: try integer(words, 3), max: try integer(words, 4))
        case "categorical": .categorical(Array(words.dropFirst(3)))
        default: throw Complaint("\(words) has no distribution")
        }
    }

    private func word(_ words: [String], _ index: Int) throws -> String {
        guard words.indices.contains(index) else { throw Complaint("\(words) is too short") }
        return words[index]
    }

    private func number(_ words: [String], _ index: Int) throws -> Double {
        guard let number = NumberText.parse(try word(words, index)) else { throw Complaint("\(words): no number") }
        return number
    }

    private func integer(_ words: [String], _ index: Int) throws -> Int {
        guard let number = Int(try word(words, index)) else { throw Complaint("\(words): no whole number") }
        return number
    }

    private func say(_ line: String) {
        print(line)
        fflush(nil)
    }
}

private struct Complaint: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
