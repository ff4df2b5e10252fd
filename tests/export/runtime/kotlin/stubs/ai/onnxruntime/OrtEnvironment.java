package ai.onnxruntime;

import ai.onnxruntime.OrtSession.SessionOptions;
import java.io.File;

public class OrtEnvironment {
    public static OrtEnvironment getEnvironment() {
        return new OrtEnvironment();
    }

    public OrtSession createSession(String modelPath, SessionOptions options) throws OrtException {
        if (!new File(modelPath).isFile()) throw new OrtException("no file " + modelPath);
        return new OrtSession();
    }

    public OrtSession createSession(byte[] modelArray, SessionOptions options) throws OrtException {
        if (modelArray[0] == 0) throw new OrtException("no model\nsecond line");
        return new OrtSession();
    }
}
