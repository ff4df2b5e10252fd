// What runtime/swift/onnx uses of onnxruntime's Swift package 1.24.2, as Swift sees objectivec/include/*.h: enough to
// check the types of our session where that package cannot be had.

import Foundation

public enum ORTLoggingLevel: Sendable { case error }
public enum ORTTensorElementDataType: Sendable { case float, int64 }

public class ORTEnv {
    public init(loggingLevel: ORTLoggingLevel) throws {}
}

public class ORTSessionOptions {
    public init() throws {}
    public func setIntraOpNumThreads(_ count: Int32) throws {}
    public func addConfigEntry(withKey key: String, value: String) throws {}
}

public class ORTRunOptions {}

public class ORTTensorTypeAndShapeInfo {
    public var elementType: ORTTensorElementDataType { .float }
}

public class ORTValue {
    public init(tensorData: NSMutableData, elementType: ORTTensorElementDataType, shape: [NSNumber]) throws {}
    public func tensorData() throws -> NSMutableData { NSMutableData() }
    public func tensorTypeAndShapeInfo() throws -> ORTTensorTypeAndShapeInfo { ORTTensorTypeAndShapeInfo() }
}

public class ORTSession {
    public init(env: ORTEnv, modelPath: String, sessionOptions: ORTSessionOptions?) throws {}
    public func inputNames() throws -> [String] { [] }
    public func outputNames() throws -> [String] { [] }
    public func run(
        withInputs inputs: [String: ORTValue], outputNames: Set<String>, runOptions: ORTRunOptions?
    ) throws -> [String: ORTValue] { [:] }
}
