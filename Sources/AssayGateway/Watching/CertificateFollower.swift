import Concurrency
import Files
import Logging
import OpenSSL

/// Reads the certificate of the shared port again as its files change, and tells of each one that can be used. Until there is one
/// the port stays closed; while there is none that can be used, the last one that could stays.
struct CertificateFollower: Sendable {
    static let interval: Duration = .seconds(5)

    /// With `tls.crt` and `tls.key`.
    let directory: String
    let time: any TimeSource
    let logger: Logger
    /// Told of the certificate, and when it ends, since the Unix epoch.
    let use: @Sendable (TLSContext, Duration) -> Void

    private struct Seen {
        var files: CertificateFiles?
        /// What was said last about files that are missing.
        var missing: String?
        var isServing = false
    }

    /// Looks until the task is cancelled.
    func run() async {
        var seen = Seen()
        while !Task.isCancelled {
            look(&seen)
            do { try await time.sleep(for: Self.interval) } catch { return }
        }
    }

    private func look(_ seen: inout Seen) {
        let files: CertificateFiles
        do throws(FileError) {
            files = try CertificateFiles(in: directory)
        } catch {
            if seen.missing != "\(error)" { complain("there is no certificate", "\(error)", seen) }
            seen.missing = "\(error)"
            return
        }
        seen.missing = nil
        if files == seen.files { return }
        seen.files = files
        do throws(TLSError) {
            let context = try files.context()
            let end = try CertificateValidity(certificatePEM: files.certificate).notAfter
            seen.isServing = true
            use(context, end)
            if end <= time.wallNow() {
                logger.warning("the shared port's certificate has expired", metadata: ["directory": "\(directory)"])
            } else {
                logger.info("the shared port has a certificate", metadata: ["directory": "\(directory)"])
            }
        } catch {
            complain("the certificate cannot be used", "\(error)", seen)
        }
    }

    private func complain(_ message: Logger.Message, _ error: String, _ seen: Seen) {
        logger.error(
            message,
            metadata: [
                "directory": "\(directory)", "error": "\(error)",
                "next": seen.isServing ? "the last one is kept" : "the shared TLS port stays closed",
            ])
    }
}
