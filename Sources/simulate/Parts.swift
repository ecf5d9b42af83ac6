import JSON
import Subprocess

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// Runs seeds in several processes. A simulation is one thread, and threads that share what a template consists of wait for
/// each other at every count of a reference.
struct Parts {
    let program: String
    let jobs: Int
    let onlySleep: Bool

    /// True where no invariant was violated.
    func run(_ seeds: Range<UInt64>) async -> Bool {
        let size = max(1, min(1000, (seeds.count + jobs - 1) / jobs))
        var parts = stride(from: seeds.lowerBound, to: seeds.upperBound, by: size).map {
            $0..<min($0 + UInt64(size), seeds.upperBound)
        }.makeIterator()
        var tally = Tally()
        await withTaskGroup(of: Part.self) { group in
            for _ in 0..<jobs {
                guard let next = parts.next() else { break }
                group.addTask { await run(part: next) }
            }
            for await part in group {
                if !part.text.isEmpty {
                    print(part.text)
                    fflush(nil)
                }
                if let counted = part.tally { tally.add(counted) } else { tally.addFailure() }
                if let next = parts.next() { group.addTask { await run(part: next) } }
            }
        }
        print(tally.text)
        return tally.violations == 0
    }

    /// The path type belongs to a package of Subprocess's own; its literal is the one way to it without naming that.
    private static func path<Path: ExpressibleByStringLiteral>(
        _ text: String
    ) -> Path where Path.StringLiteralType == String {
        Path(stringLiteral: text)
    }

    /// What a process printed, and what it counted: nil where it did not come to its end.
    private struct Part {
        var text: String
        var tally: Tally?
    }

    private func run(part seeds: Range<UInt64>) async -> Part {
        do {
            let result = try await Subprocess.run(
                .path(Self.path(program)),
                arguments: Arguments(
                    ["--part", "--seeds", "\(seeds.lowerBound)..<\(seeds.upperBound)"]
                        + (onlySleep ? ["--sleep"] : [])), input: .none,
                output: .string(limit: 100_000_000), error: .currentStandardError)
            let lines = result.standardOutput.split(separator: "\n")
            guard let last = lines.last, last.hasPrefix("{") else {
                return Part(text: "seeds \(seeds): the process ended with \(result.terminationStatus)", tally: nil)
            }
            let tally = try Tally(json: JSONValue(parsing: String(last)))
            return Part(text: lines.dropLast().joined(separator: "\n"), tally: tally)
        } catch {
            return Part(text: "seeds \(seeds): \(error)", tally: nil)
        }
    }
}
