package afriberta.edge.sample

import afriberta.edge.Bundle
import afriberta.edge.OrtModel
import afriberta.edge.Tagger
import android.content.Context
import java.io.File
import java.io.InputStream

/** A file of the bundle in the app's assets. */
fun Context.bundleFile(name: String): InputStream = assets.open("bundle/$name")

/**
 * Opens the bundle in the app's assets; takes a moment. Weights in a file of their own are copied out of the app
 * once, since onnxruntime opens those by path only.
 */
fun openTagger(context: Context): Tagger = Tagger.load(context::bundleFile) { bundle: Bundle ->
    if (bundle.manifest.externalData.isEmpty()) {
        OrtModel.open(bundle)
    } else {
        OrtModel.openFile(bundle.copyModel(File(context.noBackupFilesDir, "model")))(bundle)
    }
}
