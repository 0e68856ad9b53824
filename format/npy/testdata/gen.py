# Writes the samples of this folder with NumPy (Debian's python3-numpy, BSD-3):
#   python3 gen.py
import numpy as np

a = np.arange(24).reshape(2, 3, 4)
np.save("f4.npy", (a / 8).astype("<f4"))
np.save("f8_fortran.npy", np.asfortranarray(a / 8))
np.save("i2_big.npy", (a - 12).astype(">i2"))
np.save("f2.npy", np.array([0, 1, -2, 1 / 3, 65504, np.inf], "<f2"))
np.save("b1.npy", np.array([True, False, True]))
np.save("scalar.npy", np.array(7, "<u8"))
np.save("objects.npy", np.array([{}, None], object), allow_pickle=True)
np.savez_compressed("two.npz", first=a.astype("<u1"), second=np.array([-1.5]))
