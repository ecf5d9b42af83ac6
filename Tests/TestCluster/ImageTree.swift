import FoundationEssentials

/// An image: executable files by path.
public struct ImageTree: Sendable {
    public var files: [String: String]

    public init(files: [String: String]) { self.files = files }

    public func write(below directory: String) throws -> String {
        let root = "\(directory)/image-\(UInt32.random(in: .min ... .max))"
        for (path, text) in files {
            let file = URL(filePath: "\(root)/\(path)")
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
        }
        return root
    }

    /// A training that reports what its parameters say, and a server that answers with its run.
    public static let standard: [String: ImageTree] = [
        "registry.local/toy:1": ImageTree(files: [
            "bin/train": """
            #!/bin/sh
            # Reports the metric it is told, then fails if it is told to.
            printf '%s' "${ASSAY_PARAM_METRICS:-{\\"accuracy\\": ${ASSAY_PARAM_ACCURACY:-0.97}\\}}" > "$ASSAY_METRICS_FILE"
            exit "${ASSAY_PARAM_EXITCODE:-0}"
            """,
            "bin/serve": """
            #!/usr/bin/env python3
            import http.server, os

            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    body = os.environ["ASSAY_RUN"].encode()
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

                def log_message(self, *arguments):
                    pass

            http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
            """,
        ])
    ]
}
