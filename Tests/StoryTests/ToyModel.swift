/// A model of the toy image, as a person writes it.
struct ToyModel {
    var name = "wine"
    var accuracy = "0.97"
    /// What the training writes instead of its accuracy.
    var metrics: String?
    var exitCode = 0
    var threshold = "0.93"
    var metric = "accuracy"
    var serverCommand = "serve"
    var replicas = 1
    /// What trains and, by its digest, serves.
    var image = "registry.local/toy:1"
    var trainingCommand = "train"

    var yaml: String {
        var parameters = ["accuracy: \"\(accuracy)\"", "exitCode: \"\(exitCode)\""]
        if let metrics { parameters.append("metrics: '\(metrics)'") }
        return """
            apiVersion: assay.dev/v1alpha1
            kind: MLModel
            metadata: {name: \(name)}
            spec:
              training:
                template:
                  spec:
                    parameters: {\(parameters.joined(separator: ", "))}
                    seed: 7
                    backoffLimit: 0
                    template:
                      spec:
                        restartPolicy: Never
                        containers:
                        - {name: train, image: "\(image)", command: ["\(trainingCommand)"]}
              validation:
                thresholds:
                - {metric: \(metric), direction: Maximize, threshold: \(threshold)}
              serving:
                port: 8080
                replicas: \(replicas)
                template:
                  spec:
                    containers:
                    - name: server
                      image: "\(image)"
                      command: ["\(serverCommand)"]
                      readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
            """
    }
}
