/// The numbers of the fields of the kinds that kubectl makes itself, as in `generated.proto` of `k8s.io/api`.
enum ProtobufTypes {
    indirect enum FieldType: Sendable {
        case string, integer, bool, bytes, ignored
        case message(String)
        case list(FieldType)
        case map(FieldType)
    }

    struct Field: Sendable {
        var name: String
        var type: FieldType
        /// Whether zero is a value.
        var isPointer: Bool
    }

    /// The kinds that can be read.
    static let roots: Set<String> = [
        "Namespace", "ConfigMap", "Secret", "ServiceAccount", "ResourceQuota", "Service", "Job", "Deployment", "Role",
        "ClusterRole", "RoleBinding", "ClusterRoleBinding", "PodDisruptionBudget", "SelfSubjectAccessReview",
        "SelfSubjectRulesReview", "SelfSubjectReview", "TokenRequest", "Eviction", "Binding", "DeleteOptions",
    ]

    static let messages: [String: [UInt64: Field]] = {
        var result: [String: [UInt64: Field]] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard let name = words.first else { continue }
            var fields: [UInt64: Field] = [:]
            for word in words.dropFirst() {
                let parts = word.split(separator: ":", maxSplits: 2).map(String.init)
                guard parts.count >= 2, let number = UInt64(parts[0]) else { continue }
                let type = parts.count > 2 ? parts[2] : "string"
                fields[number] = Field(
                    name: parts[1], type: fieldType(type.filter { $0 != "?" }), isPointer: type.hasSuffix("?"))
            }
            result[String(name)] = fields
        }
        return result
    }()

    private static func fieldType(_ text: String) -> FieldType {
        if text.hasPrefix("[]") { return .list(fieldType(String(text.dropFirst(2)))) }
        if text.hasPrefix("{}") { return .map(fieldType(String(text.dropFirst(2)))) }
        switch text {
        case "string", "": return .string
        case "int": return .integer
        case "bool": return .bool
        case "bytes": return .bytes
        case "-": return .ignored
        default: return .message(text)
        }
    }

    /// A message a line: `number:name:type`; strings need no type, `?` marks what is a pointer in Go, `-` what a client
    /// sends and the server does not read.
    private static let text = """
        ObjectMeta 1:name 2:generateName 3:namespace 4:selfLink 5:uid 6:resourceVersion 7:generation:int 8:creationTimestamp:Time 9:deletionTimestamp:Time 10:deletionGracePeriodSeconds:int? 11:labels:{} 12:annotations:{} 13:ownerReferences:[]OwnerReference 14:finalizers:[] 17:managedFields:-
        OwnerReference 1:kind 3:name 4:uid 5:apiVersion 6:controller:bool? 7:blockOwnerDeletion:bool?
        LabelSelector 1:matchLabels:{} 2:matchExpressions:[]LabelSelectorRequirement
        LabelSelectorRequirement 1:key 2:operator 3:values:[]
        DeleteOptions 1:gracePeriodSeconds:int? 2:preconditions:Preconditions 3:orphanDependents:bool? 4:propagationPolicy 5:dryRun:[] 6:ignoreStoreReadErrorWithClusterBreakingPotential:bool
        Preconditions 1:uid 2:resourceVersion
        Namespace 1:metadata:ObjectMeta 2:spec:- 3:status:-
        ConfigMap 1:metadata:ObjectMeta 2:data:{} 3:binaryData:{}bytes 4:immutable:bool?
        Secret 1:metadata:ObjectMeta 2:data:{}bytes 3:type 4:stringData:{} 5:immutable:bool?
        ServiceAccount 1:metadata:ObjectMeta 2:secrets:[]ObjectReference 3:imagePullSecrets:[]LocalObjectReference 4:automountServiceAccountToken:bool?
        ObjectReference 1:kind 2:namespace 3:name 4:uid 5:apiVersion 6:resourceVersion 7:fieldPath
        LocalObjectReference 1:name
        ResourceQuota 1:metadata:ObjectMeta 2:spec:ResourceQuotaSpec 3:status:-
        ResourceQuotaSpec 1:hard:{}Quantity 2:scopes:[]
        Service 1:metadata:ObjectMeta 2:spec:ServiceSpec 3:status:-
        ServiceSpec 1:ports:[]ServicePort 2:selector:{} 3:clusterIP 4:type 5:externalIPs:[] 7:sessionAffinity 8:loadBalancerIP 9:loadBalancerSourceRanges:[] 10:externalName 11:externalTrafficPolicy 12:healthCheckNodePort:int 13:publishNotReadyAddresses:bool 17:ipFamilyPolicy 18:clusterIPs:[] 19:ipFamilies:[] 20:allocateLoadBalancerNodePorts:bool? 21:loadBalancerClass 22:internalTrafficPolicy 23:trafficDistribution
        ServicePort 1:name 2:protocol 3:port:int 4:targetPort:IntOrString 5:nodePort:int 6:appProtocol
        Binding 1:metadata:ObjectMeta 2:target:ObjectReference
        PodTemplateSpec 1:metadata:ObjectMeta 2:spec:PodSpec
        PodSpec 2:containers:[]Container 3:restartPolicy 4:terminationGracePeriodSeconds:int? 5:activeDeadlineSeconds:int? 6:dnsPolicy 7:nodeSelector:{} 8:serviceAccountName 9:serviceAccount 10:nodeName 11:hostNetwork:bool 12:hostPID:bool 13:hostIPC:bool 14:securityContext:PodSecurityContext 15:imagePullSecrets:[]LocalObjectReference 16:hostname 17:subdomain 19:schedulerName 20:initContainers:[]Container 21:automountServiceAccountToken:bool? 24:priorityClassName 30:enableServiceLinks:bool?
        PodSecurityContext 2:runAsUser:int? 3:runAsNonRoot:bool? 4:supplementalGroups:[]int 5:fsGroup:int? 6:runAsGroup:int?
        Container 1:name 2:image 3:command:[] 4:args:[] 5:workingDir 6:ports:[]ContainerPort 7:env:[]EnvVar 8:resources:ResourceRequirements 9:volumeMounts:[]VolumeMount 13:terminationMessagePath 14:imagePullPolicy 16:stdin:bool 17:stdinOnce:bool 18:tty:bool 20:terminationMessagePolicy
        ContainerPort 1:name 2:hostPort:int 3:containerPort:int 4:protocol 5:hostIP
        EnvVar 1:name 2:value
        ResourceRequirements 1:limits:{}Quantity 2:requests:{}Quantity
        VolumeMount 1:name 2:readOnly:bool 3:mountPath 4:subPath 5:mountPropagation 6:subPathExpr
        Job 1:metadata:ObjectMeta 2:spec:JobSpec 3:status:-
        JobSpec 1:parallelism:int? 2:completions:int? 3:activeDeadlineSeconds:int? 4:selector:LabelSelector 5:manualSelector:bool? 6:template:PodTemplateSpec 7:backoffLimit:int? 8:ttlSecondsAfterFinished:int? 9:completionMode 10:suspend:bool? 12:backoffLimitPerIndex:int? 13:maxFailedIndexes:int? 14:podReplacementPolicy 15:managedBy
        Deployment 1:metadata:ObjectMeta 2:spec:DeploymentSpec 3:status:-
        DeploymentSpec 1:replicas:int? 2:selector:LabelSelector 3:template:PodTemplateSpec 4:strategy:DeploymentStrategy 5:minReadySeconds:int 6:revisionHistoryLimit:int? 7:paused:bool 9:progressDeadlineSeconds:int?
        DeploymentStrategy 1:type 2:rollingUpdate:RollingUpdateDeployment
        RollingUpdateDeployment 1:maxUnavailable:IntOrString? 2:maxSurge:IntOrString?
        Role 1:metadata:ObjectMeta 2:rules:[]PolicyRule
        ClusterRole 1:metadata:ObjectMeta 2:rules:[]PolicyRule 3:aggregationRule:AggregationRule
        AggregationRule 1:clusterRoleSelectors:[]LabelSelector
        PolicyRule 1:verbs:[] 2:apiGroups:[] 3:resources:[] 4:resourceNames:[] 5:nonResourceURLs:[]
        RoleBinding 1:metadata:ObjectMeta 2:subjects:[]Subject 3:roleRef:RoleRef
        ClusterRoleBinding 1:metadata:ObjectMeta 2:subjects:[]Subject 3:roleRef:RoleRef
        Subject 1:kind 2:apiGroup 3:name 4:namespace
        RoleRef 1:apiGroup 2:kind 3:name
        PodDisruptionBudget 1:metadata:ObjectMeta 2:spec:PodDisruptionBudgetSpec 3:status:-
        PodDisruptionBudgetSpec 1:minAvailable:IntOrString? 2:selector:LabelSelector 3:maxUnavailable:IntOrString? 4:unhealthyPodEvictionPolicy
        Eviction 1:metadata:ObjectMeta 2:deleteOptions:DeleteOptions
        TokenRequest 1:metadata:ObjectMeta 2:spec:TokenRequestSpec 3:status:-
        TokenRequestSpec 1:audiences:[] 3:boundObjectRef:BoundObjectReference 4:expirationSeconds:int?
        BoundObjectReference 1:kind 2:apiVersion 3:name 4:uid
        SelfSubjectReview 1:metadata:ObjectMeta 2:status:-
        SelfSubjectAccessReview 1:metadata:ObjectMeta 2:spec:SelfSubjectAccessReviewSpec 3:status:-
        SelfSubjectAccessReviewSpec 1:resourceAttributes:ResourceAttributes 2:nonResourceAttributes:NonResourceAttributes
        ResourceAttributes 1:namespace 2:verb 3:group 4:version 5:resource 6:subresource 7:name
        NonResourceAttributes 1:path 2:verb
        SelfSubjectRulesReview 1:metadata:ObjectMeta 2:spec:SelfSubjectRulesReviewSpec 3:status:-
        SelfSubjectRulesReviewSpec 1:namespace
        """
}
