import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    id("com.android.application")
    id("org.jetbrains.kotlin.android")
}

// The tagger of this repository; a copy of the sample elsewhere takes its bundle's: -Ptagger=BUNDLE/runtime/kotlin
val tagger = file(providers.gradleProperty("tagger").getOrElse("../../../runtime/kotlin"))

android {
    namespace = "afriberta.edge.sample"
    compileSdk = 36

    defaultConfig {
        applicationId = "afriberta.edge.sample"
        minSdk = 24 // as onnxruntime-android
        targetSdk = 36
        versionCode = 1
        versionName = "1.0"
        testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"
        ndk {
            abiFilters += listOf("arm64-v8a", "armeabi-v7a", "x86_64")
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_11
        targetCompatibility = JavaVersion.VERSION_11
    }

    androidResources {
        noCompress += listOf("onnx", "onnx_data")
    }

    sourceSets {
        getByName("main").assets.srcDir(layout.buildDirectory.dir("bundle-assets").get().asFile)
        getByName("main").kotlin.srcDir(tagger.resolve("src/main/kotlin"))
        getByName("androidTest").kotlin.srcDir(tagger.resolve("src/replay/kotlin"))
    }
}

kotlin {
    compilerOptions {
        jvmTarget = JvmTarget.JVM_11
    }
}

// What the app needs of a bundle, with what its licences ask to be passed on.
val copyBundle = tasks.register<Sync>("copyBundle") {
    from(providers.gradleProperty("bundle").getOrElse("../../../../build/swa-cpu-edge"))
    include("manifest.json", "tokenizer.json", "onnx/**", "golden.jsonl", "README.md", "LICENSES/**")
    into(layout.buildDirectory.dir("bundle-assets/bundle"))
    doLast {
        check(destinationDir.resolve("manifest.json").isFile) { "No bundle there: give -Pbundle=FOLDER." }
    }
}

tasks.named("preBuild") {
    dependsOn(copyBundle)
}

dependencies {
    implementation("com.microsoft.onnxruntime:onnxruntime-android:1.27.0")
    implementation("org.jetbrains.kotlinx:kotlinx-serialization-json:1.9.0")
    androidTestImplementation("androidx.test:runner:1.7.0")
    androidTestImplementation("androidx.test.ext:junit:1.3.0")
}
