from simcore.rig.rig import Rig
