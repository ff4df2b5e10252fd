package afriberta.edge

import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtSession
import java.io.File
import java.nio.LongBuffer

/** The model of a bundle, run by onnxruntime (`onnxruntime-android`, or `onnxruntime` on a computer). */
class OrtModel private constructor(
    private val environment: OrtEnvironment,
    private val options: OrtSession.SessionOptions,
    private val session: OrtSession,
) : Model {
    override fun logits(inputIds: IntArray): FloatArray =
        try {
            run(inputIds)
        } catch (error: OrtException) {
            throw refused("run the model", error)
        }

    private fun run(inputIds: IntArray): FloatArray {
        val shape = longArrayOf(1, inputIds.size.toLong())
        val ids = LongBuffer.wrap(LongArray(inputIds.size) { inputIds[it].toLong() })
        val ones = LongBuffer.wrap(LongArray(inputIds.size) { 1 })
        return OnnxTensor.createTensor(environment, ids, shape).use { first ->
            OnnxTensor.createTensor(environment, ones, shape).use { second ->
                session.run(mapOf(IDS to first, MASK to second), setOf(LOGITS)).use { result ->
                    val buffer = (result.get(0) as? OnnxTensor)?.floatBuffer
                        ?: throw damaged("The model", "its answer is not float32")
                    FloatArray(buffer.remaining()).also(buffer::get)
                }
            }
        }
    }

    override fun close() {
        session.close()
        options.close() // a session may use them to its end
    }

    companion object {
        private const val IDS = "input_ids"
        private const val MASK = "attention_mask"
        private const val LOGITS = "logits"

        /** Opens the model from memory: for a few megabytes without external data. */
        fun open(bundle: Bundle): Model {
            val manifest = bundle.manifest
            if (manifest.externalData.isNotEmpty()) {
                val message = "${manifest.model} has weights in a file of their own."
                throw BundleException("unsupported", message, "Copy them to disk and use OrtModel.openFile.")
            }
            val bytes = bundle.read(manifest.model)
            return create(manifest) { options -> createSession(bytes, options) }
        }

        /**
         * Opens the model by its path: pages of external data are then mapped, and the system may drop them. Digests
         * are those of [Bundle.copyModel], or nobody's.
         */
        fun openFile(file: File): (Bundle) -> Model = { bundle ->
            create(bundle.manifest) { options -> createSession(file.path, options) }
        }

        private fun create(
            manifest: Manifest,
            start: OrtEnvironment.(OrtSession.SessionOptions) -> OrtSession,
        ): Model {
            val environment = OrtEnvironment.getEnvironment()
            val options = OrtSession.SessionOptions()
            val session = try {
                options.setIntraOpNumThreads(manifest.threads)
                options.setMemoryPatternOptimization(false) // every sentence has another length
                options.addConfigEntry("session.intra_op.allow_spinning", "0") // it costs battery
                options.addConfigEntry("session.disable_prepacking", if (manifest.prepacking) "0" else "1")
                environment.start(options)
            } catch (error: OrtException) {
                options.close()
                throw refused("open ${manifest.model}", error)
            }
            val model = OrtModel(environment, options, session)
            if (session.inputNames != setOf(IDS, MASK) || LOGITS !in session.outputNames) {
                val reason = "it takes ${session.inputNames} and gives ${session.outputNames}"
                model.close()
                throw damaged(manifest.model, reason)
            }
            return model
        }

        private fun refused(what: String, error: OrtException): BundleException {
            val message = "onnxruntime cannot $what: ${reasonOf(error)}."
            return BundleException("unsupported", message, "Check the version of onnxruntime.", error)
        }
    }
}
