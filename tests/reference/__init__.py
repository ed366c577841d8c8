"""Integer reference of every operator, in numpy, and an interpreter of .tflite files made of it.

Written from the TFLite 8-bit quantization specification
(https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/quantization_spec) and the documented
behaviour of TensorFlow Lite Micro's reference kernels, independently of the C kernels it is the oracle of.
Arrays are NHWC with the batch axis kept. Functions compute in int64 and return int64 arrays whose values fit
the output's type; `interpreter.run_tflite` narrows them to the type the file states.
"""
