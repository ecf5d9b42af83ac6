/// Which fields the protobuf form of built-in kinds has: the part of it that kubectl sends.
///
/// Field numbers never change once published. A line is a message; a field is its number, its JSON name and its type:
/// s string, i integer, b boolean, y bytes, t time, q quantity, p integer or string, - nothing that clients set. `[]`
/// repeats, `{}` is a map from strings, `^` puts a message's fields in its parent's place, and `*` marks a value whose
/// zero differs from its absence.
enum ProtobufFields {
    enum Kind: Sendable, Hashable {
        case string, integer, bool, bytes, time, quantity, intOrString, ignored
        case message(String)
    }

    struct Field: Sendable, Hashable {
        var name: String
        var kind: Kind
        var isRepeated = false
        var isMap = false
        var isInline = false
        var keepsZero = false
    }

    static let messages: [String: [UInt64: Field]] = {
        var result: [String: [UInt64: Field]] = [:]
        for line in (metadata + objects + pods).split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard let name = parts.first, parts.count == 2 else { continue }
            for entry in parts[1].split(separator: ",") {
                let words = entry.split(separator: " ")
                guard words.count == 3, let number = UInt64(words[0]) else { continue }
                result[String(name), default: [:]][number] = field(String(words[1]), words[2])
            }
        }
        return result
    }()

    private static func field(_ name: String, _ type: Substring) -> Field {
        var field = Field(name: name, kind: .ignored)
        var type = type
        func take(_ prefix: String) -> Bool {
            guard type.hasPrefix(prefix) else { return false }
            type = type.dropFirst(prefix.count)
            return true
        }
        field.keepsZero = take("*")
        field.isInline = take("^")
        field.isRepeated = take("[]")
        field.isMap = take("{}")
        let simple: [Substring: Kind] = [
            "s": .string, "i": .integer, "b": .bool, "y": .bytes, "t": .time, "q": .quantity, "p": .intOrString,
            "-": .ignored,
        ]
        field.kind = simple[type] ?? .message(String(type))
        return field
    }

    private static let metadata = """
        ObjectMeta:1 name s,2 generateName s,3 namespace s,5 uid s,6 resourceVersion s,7 generation i,\
        8 creationTimestamp t,9 deletionTimestamp t,10 deletionGracePeriodSeconds i,11 labels {}s,12 annotations {}s,\
        13 ownerReferences []OwnerReference,14 finalizers []s,4 selfLink -,15 clusterName -,17 managedFields -
        OwnerReference:1 kind s,3 name s,4 uid s,5 apiVersion s,6 controller *b,7 blockOwnerDeletion *b
        LabelSelector:1 matchLabels {}s,2 matchExpressions []LabelSelectorRequirement
        LabelSelectorRequirement:1 key s,2 operator s,3 values []s
        DeleteOptions:1 gracePeriodSeconds *i,2 preconditions Preconditions,3 orphanDependents *b,\
        4 propagationPolicy s,5 dryRun []s,6 ignoreStoreReadErrorWithClusterBreakingPotential b
        Preconditions:1 uid s,2 resourceVersion s
        LocalObjectReference:1 name s
        ObjectReference:1 kind s,2 namespace s,3 name s,4 uid s,5 apiVersion s,6 resourceVersion s,7 fieldPath s

        """

    private static let objects = """
        ConfigMap:1 metadata ObjectMeta,2 data {}s,3 binaryData {}y,4 immutable *b
        Secret:1 metadata ObjectMeta,2 data {}y,3 type s,4 stringData {}s,5 immutable *b
        Namespace:1 metadata ObjectMeta,2 spec NamespaceSpec,3 status -
        NamespaceSpec:1 finalizers []s
        ServiceAccount:1 metadata ObjectMeta,2 secrets []ObjectReference,3 imagePullSecrets []LocalObjectReference,\
        4 automountServiceAccountToken *b
        Service:1 metadata ObjectMeta,2 spec ServiceSpec,3 status -
        ServiceSpec:1 ports []ServicePort,2 selector {}s,3 clusterIP s,4 type s,5 externalIPs []s,7 sessionAffinity s,\
        8 loadBalancerIP s,9 loadBalancerSourceRanges []s,10 externalName s,11 externalTrafficPolicy s,\
        12 healthCheckNodePort i,13 publishNotReadyAddresses b,17 ipFamilyPolicy s,18 clusterIPs []s,19 ipFamilies []s
        ServicePort:1 name s,2 protocol s,3 port i,4 targetPort p,5 nodePort i,6 appProtocol s
        ResourceQuota:1 metadata ObjectMeta,2 spec ResourceQuotaSpec,3 status -
        ResourceQuotaSpec:1 hard {}q,2 scopes []s
        Job:1 metadata ObjectMeta,2 spec JobSpec,3 status -
        JobSpec:1 parallelism *i,2 completions *i,3 activeDeadlineSeconds *i,4 selector LabelSelector,\
        5 manualSelector *b,6 template PodTemplateSpec,7 backoffLimit *i,8 ttlSecondsAfterFinished *i,\
        9 completionMode s,10 suspend *b,14 podReplacementPolicy s,15 managedBy s
        Deployment:1 metadata ObjectMeta,2 spec DeploymentSpec,3 status -
        DeploymentSpec:1 replicas *i,2 selector LabelSelector,3 template PodTemplateSpec,4 strategy DeploymentStrategy,\
        5 minReadySeconds i,6 revisionHistoryLimit *i,7 paused b,9 progressDeadlineSeconds *i
        DeploymentStrategy:1 type s,2 rollingUpdate RollingUpdateDeployment
        RollingUpdateDeployment:1 maxUnavailable *p,2 maxSurge *p
        PodDisruptionBudget:1 metadata ObjectMeta,2 spec PodDisruptionBudgetSpec,3 status -
        PodDisruptionBudgetSpec:1 minAvailable *p,2 selector LabelSelector,3 maxUnavailable *p
        Eviction:1 metadata ObjectMeta,2 deleteOptions DeleteOptions
        Role:1 metadata ObjectMeta,2 rules []PolicyRule
        ClusterRole:1 metadata ObjectMeta,2 rules []PolicyRule,3 aggregationRule AggregationRule
        AggregationRule:1 clusterRoleSelectors []LabelSelector
        PolicyRule:1 verbs []s,2 apiGroups []s,3 resources []s,4 resourceNames []s,5 nonResourceURLs []s
        RoleBinding:1 metadata ObjectMeta,2 subjects []Subject,3 roleRef RoleRef
        ClusterRoleBinding:1 metadata ObjectMeta,2 subjects []Subject,3 roleRef RoleRef
        Subject:1 kind s,2 apiGroup s,3 name s,4 namespace s
        RoleRef:1 apiGroup s,2 kind s,3 name s
        SelfSubjectAccessReview:1 metadata ObjectMeta,2 spec SelfSubjectAccessReviewSpec,3 status -
        SelfSubjectAccessReviewSpec:1 resourceAttributes ResourceAttributes,2 nonResourceAttributes NonResourceAttributes
        ResourceAttributes:1 namespace s,2 verb s,3 group s,4 version s,5 resource s,6 subresource s,7 name s
        NonResourceAttributes:1 path s,2 verb s
        SelfSubjectRulesReview:1 metadata ObjectMeta,2 spec SelfSubjectRulesReviewSpec,3 status -
        SelfSubjectRulesReviewSpec:1 namespace s
        SelfSubjectReview:1 metadata ObjectMeta,2 status -
        TokenRequest:1 metadata ObjectMeta,2 spec TokenRequestSpec,3 status -
        TokenRequestSpec:1 audiences []s,3 boundObjectRef BoundObjectReference,4 expirationSeconds *i
        BoundObjectReference:1 kind s,2 apiVersion s,3 name s,4 uid s

        """

    private static let pods = """
        Pod:1 metadata ObjectMeta,2 spec PodSpec,3 status -
        PodTemplateSpec:1 metadata ObjectMeta,2 spec PodSpec
        PodSpec:1 volumes []Volume,2 containers []Container,3 restartPolicy s,4 terminationGracePeriodSeconds *i,\
        5 activeDeadlineSeconds *i,6 dnsPolicy s,7 nodeSelector {}s,8 serviceAccountName s,9 serviceAccount s,\
        10 nodeName s,11 hostNetwork b,12 hostPID b,13 hostIPC b,14 securityContext PodSecurityContext,\
        15 imagePullSecrets []LocalObjectReference,16 hostname s,17 subdomain s,19 schedulerName s,\
        20 initContainers []Container,21 automountServiceAccountToken *b,22 tolerations []Toleration,\
        24 priorityClassName s,25 priority *i,27 shareProcessNamespace *b,29 runtimeClassName s,30 enableServiceLinks *b
        Container:1 name s,2 image s,3 command []s,4 args []s,5 workingDir s,6 ports []ContainerPort,7 env []EnvVar,\
        8 resources ResourceRequirements,9 volumeMounts []VolumeMount,10 livenessProbe Probe,11 readinessProbe Probe,\
        13 terminationMessagePath s,14 imagePullPolicy s,15 securityContext SecurityContext,16 stdin b,17 stdinOnce b,\
        18 tty b,19 envFrom []EnvFromSource,20 terminationMessagePolicy s,22 startupProbe Probe
        ContainerPort:1 name s,2 hostPort i,3 containerPort i,4 protocol s,5 hostIP s
        EnvVar:1 name s,2 value s,3 valueFrom EnvVarSource
        EnvVarSource:1 fieldRef ObjectFieldSelector,2 resourceFieldRef ResourceFieldSelector,\
        3 configMapKeyRef KeySelector,4 secretKeyRef KeySelector
        ObjectFieldSelector:1 apiVersion s,2 fieldPath s
        ResourceFieldSelector:1 containerName s,2 resource s,3 divisor q
        KeySelector:1 reference ^LocalObjectReference,2 key s,3 optional *b
        EnvFromSource:1 prefix s,2 configMapRef EnvSource,3 secretRef EnvSource
        EnvSource:1 reference ^LocalObjectReference,2 optional *b
        ResourceRequirements:1 limits {}q,2 requests {}q
        VolumeMount:1 name s,2 readOnly b,3 mountPath s,4 subPath s,5 mountPropagation s,6 subPathExpr s
        Volume:1 name s,2 source ^VolumeSource
        VolumeSource:1 hostPath HostPathVolume,2 emptyDir EmptyDirVolume,6 secret SecretVolume,\
        10 persistentVolumeClaim ClaimVolume,19 configMap ConfigMapVolume
        HostPathVolume:1 path s,2 type s
        EmptyDirVolume:1 medium s,2 sizeLimit q
        SecretVolume:1 secretName s,2 items []KeyToPath,3 defaultMode *i,4 optional *b
        ConfigMapVolume:1 reference ^LocalObjectReference,2 items []KeyToPath,3 defaultMode *i,4 optional *b
        ClaimVolume:1 claimName s,2 readOnly b
        KeyToPath:1 key s,2 path s,3 mode *i
        Probe:1 handler ^ProbeHandler,2 initialDelaySeconds i,3 timeoutSeconds i,4 periodSeconds i,\
        5 successThreshold i,6 failureThreshold i,7 terminationGracePeriodSeconds *i
        ProbeHandler:1 exec ExecAction,2 httpGet HTTPGetAction,3 tcpSocket TCPSocketAction
        ExecAction:1 command []s
        HTTPGetAction:1 path s,2 port p,3 host s,4 scheme s,5 httpHeaders []HTTPHeader
        HTTPHeader:1 name s,2 value s
        TCPSocketAction:1 port p,2 host s
        SecurityContext:1 capabilities Capabilities,2 privileged *b,4 runAsUser *i,5 runAsNonRoot *b,\
        6 readOnlyRootFilesystem *b,7 allowPrivilegeEscalation *b,8 runAsGroup *i,9 procMount s
        PodSecurityContext:2 runAsUser *i,3 runAsNonRoot *b,4 supplementalGroups []i,5 fsGroup *i,6 runAsGroup *i
        Capabilities:1 add []s,2 drop []s
        Toleration:1 key s,2 operator s,3 value s,4 effect s,5 tolerationSeconds *i
        """
}
