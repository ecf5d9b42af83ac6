import JSON
import KubernetesModel

@testable import AssayCore

extension World {
    /// The Jobs that compare holdouts and have no end yet.
    var comparisons: [JSONValue] { unfinished.filter { !arguments($0, ArtifactContainer.overlap).isEmpty } }

    func request(of job: JSONValue) -> OverlapRequest? {
        let words = arguments(job, ArtifactContainer.overlap)
        guard let index = words.firstIndex(of: "--request"), let json = try? JSONValue(parsing: words[index + 1]) else {
            return nil
        }
        return try? OverlapRequest(json: JSONCursor(json))
    }

    /// Ends what compares holdouts. False where there is none of it.
    mutating func answerComparisons() -> Bool {
        var isAny = false
        for job in comparisons {
            guard let request = request(of: job) else { continue }
            let places = (0..<min(5, overlapping)).map {
                Independence.Place(holdout: "holdout/r.csv line \($0 + 2)", training: "rows/r.csv line \($0 + 7)")
            }
            let result = Independence(
                holdout: request.holdout.digest, method: .rows, rows: 24, overlapping: overlapping, places: places)
            endPod(
                of: job, phase: "Succeeded", messages: [ArtifactContainer.overlap: comparison ?? result.report])
            endJob(job["metadata", "name"]?.string ?? "", "Complete", reason: "")
            isAny = true
        }
        return isAny
    }

    /// The Job that compares fails, with what its pod has said last; without a word there is no pod any more.
    mutating func failComparison(_ message: String) throws {
        guard let job = comparisons.first, let name = job["metadata", "name"]?.string else { return }
        if !message.isEmpty {
            endPod(of: job, phase: "Failed", messages: [:])
            let state: JSONValue = ["terminated": ["exitCode": 3, "reason": "Error", "message": .string(message)]]
            objects[.pods]?["\(name)-x"]?["status", "containerStatuses"] = [
                ["name": .string(ArtifactContainer.overlap), "imageID": "", "state": state]
            ]
        }
        endJob(name, "Failed", reason: "BackoffLimitExceeded")
        try settle()
    }
}
