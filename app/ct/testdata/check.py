"""Checks what heed ct reads and writes against nibabel, pydicom and dcm2niix.

    python3 check.py HEED [DATA]

HEED is the program, DATA a folder with lungmask_dicom. Volumes in all types of
numbers, both byte orders and both versions of NIfTI, oblique and sheared, must be read
by heed and nibabel alike; DICOM series, shuffled and tilted, must become what dcm2niix
makes of them. Needs nibabel, pydicom and dcm2niix; used by no test.
"""
import json, os, subprocess, sys, tempfile
import nibabel as nib, numpy as np, pydicom
from pydicom.dataset import FileDataset, FileMetaDataset

heed, tmp = sys.argv[1].split(), tempfile.mkdtemp()
rng = np.random.default_rng(1)
checks = 0


def run(*args):
    return subprocess.run([*heed, *args], check=True, capture_output=True, text=True).stdout


def equal(what, a, b, affine_a, affine_b, tolerance=1e-3):
    global checks
    checks += 1
    assert a.shape == b.shape, (what, a.shape, b.shape)
    assert np.array_equal(a, b), (what, np.abs(a - b).max())
    corner = np.array([*a.shape, 1.0])
    off = max(np.abs(affine_a @ c - affine_b @ c).max() for c in (corner, corner * [0, 0, 0, 1]))
    assert off < tolerance, (what, off)


affines = {
    "straight": np.array([[-0.7, 0, 0, 12], [0, 0.7, 0, -33], [0, 0, 2.5, 100], [0, 0, 0, 1.0]]),
    "oblique": np.array([[0.6, -0.3, 0.1, 5], [0.3, 0.6, 0.2, -7], [-0.2, -0.1, 1.9, 3], [0, 0, 0, 1.0]]),
}
for place, affine in affines.items():
    for kind in "uint8 int8 int16 uint16 int32 uint32 float32 float64".split():
        for order in "<>":
            for Image in (nib.Nifti1Image, nib.Nifti2Image):
                t = np.dtype(kind).newbyteorder(order)
                data = rng.integers(0, 120, (5, 4, 3)).astype(t)
                im = Image(data, affine, Image.header_class(endianness=order))
                im.set_data_dtype(t)
                im.header.set_slope_inter(1 if "float" in kind else 2, 0 if "float" in kind else -7)
                source, target = os.path.join(tmp, "a.nii"), os.path.join(tmp, "b.nii.gz")
                nib.save(im, source)
                want = nib.load(source)
                run("convert", source, "-o", target)
                got = nib.load(target)
                equal((place, kind, order), want.get_fdata(), got.get_fdata(), want.affine, got.affine)
                if place == "straight":
                    equal("qform", got.get_fdata(), got.get_fdata(), got.get_sform(), got.get_qform())
                run("convert", target, "-o", os.path.join(tmp, "c.nrrd"))
                run("convert", os.path.join(tmp, "c.nrrd"), "-o", os.path.join(tmp, "d.nii"))
                got = nib.load(os.path.join(tmp, "d.nii"))
                equal(("nrrd", place, kind), want.get_fdata(), got.get_fdata(), want.affine, got.affine)
                run("convert", target, "-o", os.path.join(tmp, "e.npy"))
                equal("npy", np.load(os.path.join(tmp, "e.npy")).T, got.get_fdata(), want.affine, got.affine)


def series(folder, positions, orientation, tilt=0.0, slope=1):
    os.makedirs(folder)
    for i, z in enumerate(positions):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", "2.25.8%d" % i
        meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
        d = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        d.is_little_endian, d.is_implicit_VR = True, False
        d.SOPClassUID, d.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        d.Modality, d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = "CT", "2.25.1", "2.25.2", "2.25.3"
        d.SeriesNumber, d.InstanceNumber = 3, i + 1
        d.ImageType, d.Manufacturer = ["ORIGINAL", "PRIMARY", "AXIAL"], "Heed"
        row, column = np.array(orientation[:3], float), np.array(orientation[3:], float)
        d.ImagePositionPatient = [round(float(x), 6) for x in np.array([-30, -40, 10.0]) + np.cross(row, column) * z + column * tilt * z]
        d.ImageOrientationPatient = [float(x) for x in orientation]
        d.PixelSpacing, d.SliceThickness = [0.8, 0.6], 2
        d.SamplesPerPixel, d.PhotometricInterpretation, d.Rows, d.Columns = 1, "MONOCHROME2", 10, 12
        d.BitsAllocated, d.BitsStored, d.HighBit, d.PixelRepresentation = 16, 12, 11, 0
        d.RescaleIntercept, d.RescaleSlope, d.RescaleType = -1024, slope, "HU"
        d.PixelData = rng.integers(0, 4000, (10, 12)).astype(np.uint16).tobytes()
        # Names in the order of the list, positions in another.
        d.save_as(os.path.join(folder, "%03d.dcm" % i), write_like_original=False)


cases = {
    "axial": ([0, 2, 4, 6, 8], [1, 0, 0, 0, 1, 0], 0, 1),
    "shuffled": ([4, 0, 8, 2, 6], [1, 0, 0, 0, 1, 0], 0, 1),
    "falling": ([8, 6, 4, 2, 0], [1, 0, 0, 0, 1, 0], 0, 2),
    "oblique": ([0, 3, 6, 9], [0.8, 0.6, 0, -0.6, 0.8, 0], 0, 1),
}
for name, (positions, orientation, tilt, slope) in cases.items():
    folder = os.path.join(tmp, name)
    series(folder, positions, orientation, tilt, slope)
    subprocess.run(["dcm2niix", "-f", "oracle", "-o", tmp, folder], check=True, capture_output=True)
    run("convert", folder, "-o", os.path.join(tmp, "ours.nii"))
    want, got = nib.load(os.path.join(tmp, "oracle.nii")), nib.load(os.path.join(tmp, "ours.nii"))
    equal(name, want.get_fdata(), got.get_fdata(), want.affine, got.affine)
    os.remove(os.path.join(tmp, "oracle.nii"))
if len(sys.argv) > 2:
    run("convert", os.path.join(sys.argv[2], "lungmask_dicom"), "-o", os.path.join(tmp, "ours.nii"))
    want, got = nib.load(os.path.join(sys.argv[2], "lungmask_dicom", "lungmask.dcm2niix.nii.gz")), nib.load(os.path.join(tmp, "ours.nii"))
    equal("lungmask", want.get_fdata(), got.get_fdata(), want.affine, got.affine)

# De-identified files are read by pydicom, with the same pixels.
folder, clean = os.path.join(tmp, "axial"), os.path.join(tmp, "clean")
run("deidentify", folder, "-o", clean)
for i in range(5):
    a, b = pydicom.dcmread(os.path.join(folder, "%03d.dcm" % i)), pydicom.dcmread(os.path.join(clean, "%06d.dcm" % (i + 1)))
    assert np.array_equal(a.pixel_array, b.pixel_array) and b.PatientIdentityRemoved == "YES" and a.SOPInstanceUID != b.SOPInstanceUID
    checks += 1
print(checks, "checks passed;", "nibabel", nib.__version__, "pydicom", pydicom.__version__)
