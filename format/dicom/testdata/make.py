"""Writes phantom.dcm and, with dcmtk, the same image in other transfer syntaxes.

Run in this folder: python3 make.py. Needs pydicom and dcmtk (dcmcjpeg, dcmcrle,
dcmconv). The image is a ramp with noise, so that every table of the coders is used;
the name of the patient is planted, and no output of Heed may show it.
"""
import os, subprocess
import numpy as np, pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence

rows, columns = 24, 20
y, x = np.mgrid[:rows, :columns]
rng = np.random.default_rng(1)
image = (37 * x - 61 * y + rng.integers(-500, 500, (rows, columns))).astype(np.int16)
image[5:9, 3:12] = -1024
image[0, 0], image[0, 1] = 32767, -32768

meta = FileMetaDataset()
meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
meta.MediaStorageSOPInstanceUID = "2.25.101"
meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
d = FileDataset("phantom.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
d.is_little_endian, d.is_implicit_VR = True, False
d.SOPClassUID, d.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
d.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
d.StudyDate, d.StudyTime, d.PatientBirthDate = "20200102", "030405", "19500607"
d.Modality, d.Manufacturer = "CT", "Heed"
d.PatientName, d.PatientID, d.PatientSex, d.PatientAge = "PLANTED^NAME", "PLANTED-ID-77", "O", "070Y"
d.StudyDescription = "CT of Mrs PLANTED"
d.ReferringPhysicianName = "PLANTED^DOCTOR"
d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = "2.25.1", "2.25.2", "2.25.3"
d.StudyID, d.SeriesNumber, d.InstanceNumber = "1", 1, 1
d.AccessionNumber = ""
d.ImagePositionPatient, d.ImageOrientationPatient = [-10, -20, 5], [1, 0, 0, 0, 1, 0]
d.PixelSpacing, d.SliceThickness = [0.75, 0.5], 2
d.SamplesPerPixel, d.PhotometricInterpretation = 1, "MONOCHROME2"
d.Rows, d.Columns = rows, columns
d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 16, 15, 1
d.RescaleIntercept, d.RescaleSlope = -5, 2
d.BurnedInAnnotation = "NO"
step = Dataset()
step.ScheduledProcedureStepDescription = "for PLANTED"
d.RequestAttributesSequence = Sequence([step])
source = Dataset()
source.ReferencedSOPClassUID, source.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "2.25.99"
d.SourceImageSequence = Sequence([source])
block = d.private_block(0x0029, "HEED TEST", create=True)
block.add_new(1, "LO", "PLANTED^NAME")
d.PixelData = image.tobytes()
d.save_as("phantom.dcm", write_like_original=False)

run = lambda *a: subprocess.run(a, check=True)
run("dcmconv", "+ti", "phantom.dcm", "implicit.dcm")
run("dcmconv", "+tb", "phantom.dcm", "big.dcm")
run("dcmconv", "+td", "phantom.dcm", "deflated.dcm")
run("dcmconv", "-F", "phantom.dcm", "bare.dcm")
run("dcmcrle", "phantom.dcm", "rle.dcm")
run("dcmcjpeg", "+e1", "phantom.dcm", "lossless.dcm")
for n in range(2, 8):
    run("dcmcjpeg", "+el", "+sv", str(n), "phantom.dcm", "lossless%d.dcm" % n)
run("dcmcjpls", "phantom.dcm", "jpegls.dcm")
image.astype("<i2").tofile("phantom.raw")
# Restarts and point transforms, which dcmtk does not make, are in lossless_test.go.
d.BitsAllocated = d.BitsStored = 8
d.HighBit, d.PixelRepresentation = 7, 0
eight = (np.clip(image // 16 + 128, 0, 255)).astype(np.uint8)
d.PixelData = eight.tobytes()
d["PixelData"].VR = "OB"
d.save_as("eight.dcm", write_like_original=False)
run("dcmcjpeg", "+eb", "+q", "95", "eight.dcm", "jpeg.dcm")
run("dcmcjpeg", "+e1", "eight.dcm", "lossless-eight.dcm")
run("dcmdjpeg", "jpeg.dcm", "jpeg-by-dcmtk.dcm")
pydicom.dcmread("jpeg-by-dcmtk.dcm").pixel_array.tofile("jpeg.raw")
eight.tofile("eight.raw")
os.remove("jpeg-by-dcmtk.dcm")
