import Concurrency
import HTTPTransport
import Testing

@testable import KubernetesClient

@Suite struct WatchPatienceTests {
    private static let bookmark = #"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7"}}}"# + "\n"
    private static let initialEnd =
        #"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"7","annotations":{"k8s.io/initial-events-end":"true"}}}}"#
        + "\n"

    /// A stream whose body gives the texts, each after the time has moved by `step`, and then stays silent.
    private static func stream(
        _ texts: [String], _ time: ManualTime, step: Duration = .zero, hasBookmarks: Bool = false
    ) -> WatchStream {
        let rest = Locked(texts[...])
        let body = HTTPBody { () async throws(HTTPTransportError) in
            time.advance(by: step)
            if let text = rest.withLock({ $0.popFirst() }) { return Array(text.utf8) }
            do {
                try await SystemTime().sleep(for: .seconds(600))
                return nil
            } catch {
                throw HTTPTransportError(.cancelled)
            }
        }
        let patience = WatchPatience(
            time: time, limit: .seconds(305), withBookmarks: .seconds(80), hasBookmarks: hasBookmarks)
        return WatchStream(body: body, operation: "watch pods", patience: patience)
    }

    private static func failure(_ stream: WatchStream) async -> KubernetesError? {
        do throws(KubernetesError) {
            while try await stream.next() != nil {}
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [([bookmark], false), ([], true), ([bookmark + "{\"type\":"], false)])
    func silenceOfAServerThatSendsBookmarksIsATimeout(_ texts: [String], _ hasBookmarks: Bool) async {
        let time = ManualTime()
        let stream = Self.stream(texts, time, hasBookmarks: hasBookmarks)
        await withTaskGroup(of: KubernetesError?.self) { group in
            group.addTask { await Self.failure(stream) }
            await time.waitForSleepers(1)
            time.advance(by: .seconds(79))
            #expect(time.sleeperCount == 1, "not yet")
            time.advance(by: .seconds(1))
            let error = await group.next() ?? nil
            #expect(error?.transportCode == .timeout)
            #expect(error?.description.contains("from a server that sends bookmarks") == true)
        }
    }

    @Test func cancellingTheReaderEndsTheWaitForAnEvent() async {
        let stream = Self.stream([Self.bookmark], ManualTime())
        await withTaskGroup(of: KubernetesError?.self) { group in
            group.addTask { await Self.failure(stream) }
            group.cancelAll()
            let error = await group.next() ?? nil
            #expect(error?.isCancelled == true)
        }
    }

    @Test func dropsOfALineAreNoEvent() async {
        let time = ManualTime()
        let stream = Self.stream(Array(repeating: " ", count: 100), time, step: .seconds(60))
        let error = await Self.failure(stream)
        #expect(error?.transportCode == .timeout)
        #expect(error?.description.contains("no whole event") == true)
        #expect(time.monotonicNow() < .seconds(500))
    }

    @Test func theEndOfTheInitialStateIsNoPromiseOfBookmarks() async throws {
        let time = ManualTime()
        let stream = Self.stream([Self.initialEnd, Self.bookmark], time)
        _ = try await stream.next()
        _ = try await stream.next()
        #expect(time.sleeperCount == 0, "no timer ran before the first ordinary bookmark")
    }

    @Test func aReaderThatIsBusyElsewhereIsNotTheServersSilence() async throws {
        let time = ManualTime()
        let stream = Self.stream([Self.bookmark, Self.bookmark], time)
        _ = try await stream.next()
        time.advance(by: .seconds(3600))
        #expect(try await stream.next()?.count == 1)
    }
}
