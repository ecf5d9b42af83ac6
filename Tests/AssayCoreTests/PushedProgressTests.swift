import JSON
import KubernetesModel
import Testing

@testable import AssayCore

@Suite struct PushedProgressTests {
    private static let start = Timestamp(seconds: 1_800_000_000)

    private func push(_ metrics: [(String, Double)], percentage: Int? = nil) -> PushBody {
        PushBody(
            percentage: percentage, metrics: metrics.map { Metric(name: $0.0, split: .train, value: .finite($0.1)) })
    }

    @Test func whatAPushDoesNotSpeakOfStays() {
        var progress = PushedProgress(step: "train", attempt: 2, now: Self.start)
        progress.take(push([("loss", 2), ("lr", 0.1)], percentage: 10), now: Self.start)
        progress.take(push([("loss", 1)]), now: Self.start + .seconds(5))
        #expect(progress.percentage == 10)
        #expect(progress.metrics.map(\.value) == [.finite(1), .finite(0.1)])
        #expect(progress.history.map { $0.points.map(\.second) } == [[0, 5], [0]])
        #expect(progress.lastUpdated == Self.start + .seconds(5))
        #expect(progress.startTime == Self.start)
    }

    /// A clock that goes back takes no point back.
    @Test func timeDoesNotGoBack() {
        var progress = PushedProgress(attempt: 1, now: Self.start)
        progress.take(push([("loss", 2)]), now: Self.start + .seconds(60))
        progress.take(push([("loss", 1)]), now: Self.start)
        #expect(progress.history[0].points.map(\.second) == [60, 60])
    }

    /// Of any run of pushes: first and last, in order, bounded, and nowhere a hole that the others do not have.
    @Test(arguments: [1, 2, 63, 64, 65, 66, 200, 1000, 5000]) func aHistoryIsThinnedEvenly(_ count: Int) {
        var progress = PushedProgress(attempt: 1, now: Self.start)
        for index in 0..<count {
            progress.take(push([("loss", Double(index))]), now: Self.start + .seconds(10 * index))
        }
        let points = progress.history[0].points
        #expect(points.count == min(count, PushedProgress.mostPoints))
        #expect(points.first?.second == 0 && points.last?.second == Int64(10 * (count - 1)))
        #expect(points.last?.value == .finite(Double(count - 1)))
        for (earlier, later) in zip(points, points.dropFirst()) { #expect(earlier.second < later.second) }
        for point in points { #expect(point.value == .finite(Double(point.second / 10))) }
        let widest = zip(points, points.dropFirst()).map { $1.second - $0.second }.max() ?? 0
        #expect(Double(widest) <= max(10, 4 * Double(10 * count) / 64), "\(widest)")
    }

    @Test func aHistoryGoesOnFromAStatus() throws {
        var whole = PushedProgress(attempt: 1, now: Self.start)
        var handed = whole
        for index in 0..<300 {
            let body = push([("loss", Double(index)), ("b", 1)])
            whole.take(body, now: Self.start + .seconds(3 * index))
            handed.take(body, now: Self.start + .seconds(3 * index))
            if index % 37 == 0 { handed = try PushedProgress(json: JSONCursor(handed.json)) }
        }
        #expect(whole == handed)
    }

    @Test func memoryAndStatusAreBounded() {
        var progress = PushedProgress(attempt: 1, now: Self.start)
        for index in 0..<2000 {
            let metrics = (0..<64).map { ("metric-\(index)-\($0)", 0.123456789012345678 * Double(index)) }
            progress.take(push(metrics), now: Self.start + .seconds(index))
        }
        #expect(progress.metrics.count == 64 && progress.history.count == 8)
        var full = PushedProgress(attempt: 1, now: Self.start)
        for index in 0..<300 {
            full.take(
                push((0..<64).map { ("m\($0)", 0.12345678901234 * Double(index)) }), now: Self.start + .seconds(index))
        }
        #expect(full.json.serializedBytes().count < 40_000)
    }

    @Test func aBucketLetsSoManyThroughAndThenAtItsPace() {
        var bucket = TokenBucket(size: 3, interval: .seconds(1), now: .seconds(100))
        for _ in 0..<3 { #expect(bucket.take(now: .seconds(100)) == nil) }
        #expect(bucket.take(now: .seconds(100)) == .seconds(1))
        #expect(bucket.take(now: .milliseconds(100_500)) == .milliseconds(500))
        #expect(bucket.take(now: .milliseconds(101_000)) == nil)
        #expect(bucket.take(now: .milliseconds(101_000)) != nil)
        #expect(!bucket.isFull(now: .seconds(103)))
        #expect(bucket.isFull(now: .seconds(104)))
        // A bucket that was long full holds no more than a new one.
        for _ in 0..<3 { #expect(bucket.take(now: .seconds(1000)) == nil) }
        #expect(bucket.take(now: .seconds(1000)) != nil)
        // Nor does a clock that goes back fill it.
        #expect(bucket.take(now: .seconds(1)) != nil)
    }
}
