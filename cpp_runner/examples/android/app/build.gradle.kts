plugins {
    id("com.android.application")
    id("org.jetbrains.kotlin.android")
}

// The official ONNX Runtime for Android: its archive holds headers/ and jni/<ABI>/libonnxruntime.so, which CMake needs as
// files. The Java classes beside them are not needed, so the archive is no dependency of the app itself.
val onnxruntime: Configuration by configurations.creating
val onnxruntimeFiles = layout.buildDirectory.dir("onnxruntime")

dependencies {
    onnxruntime("com.microsoft.onnxruntime:onnxruntime-android:1.30.0@aar")
}

val unpackOnnxruntime by tasks.registering(Copy::class) {
    from({ onnxruntime.map { zipTree(it) } })
    include("headers/**", "jni/*/libonnxruntime.so")
    into(onnxruntimeFiles)
}

tasks.configureEach {
    if (name.startsWith("configureCMake")) {
        dependsOn(unpackOnnxruntime)
    }
}

android {
    namespace = "edgeptf.example"
    compileSdk = 35

    defaultConfig {
        applicationId = "edgeptf.example"
        minSdk = 24
        targetSdk = 35
        versionCode = 1
        versionName = "0.1.0"
        ndk {
            abiFilters += listOf("arm64-v8a", "x86_64")
        }
        externalNativeBuild {
            cmake {
                // One C++ library in the app besides ONNX Runtime; both must use the same C++ runtime.
                arguments(
                    "-DANDROID_STL=c++_shared",
                    "-DANDROID_SUPPORT_FLEXIBLE_PAGE_SIZES=ON",
                    "-DONNXRUNTIME_ROOT=${onnxruntimeFiles.get().asFile}",
                )
            }
        }
    }

    externalNativeBuild {
        cmake {
            path = file("src/main/cpp/CMakeLists.txt")
            version = "3.22.1"
        }
    }

    // A stored asset is mapped as it lies in the app; a compressed one would have to be unpacked into memory.
    androidResources {
        noCompress += "eptf"
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    kotlinOptions {
        jvmTarget = "17"
    }
}
