//! The plugin as a controller: parameters, their groups, the panel.

use vst3::ComRef;
use vst3::Steinberg::Vst::{
    BusDirection, CString, IComponentHandler, IEditControllerTrait, IUnitInfoTrait, MediaType, ParamID,
    ParamValue, ParameterInfo, ParameterInfo_, ProgramListID, ProgramListInfo, String128, TChar, UnitID,
    UnitInfo, ViewType, kNoParentUnitId, kNoProgramListId, kRootUnitId,
};
use vst3::Steinberg::{
    FIDString, IBStream, IPlugView, int16, int32, kInvalidArgument, kNotImplemented, kResultFalse, kResultOk,
    tresult,
};

use super::component::Component;
use super::param::Param;
use super::text;
use super::view::View;
use crate::parameters::{ParamId, Values};
use crate::params::{GROUPS, TacetParams};

/// The unit of a group; groups are numbered from one, zero is the root.
fn unit(group: &str) -> UnitID {
    GROUPS.iter().position(|&known| known == group).map_or(kRootUnitId, |index| index as UnitID + 1)
}

fn normalised(value: ParamValue) -> f32 {
    if value.is_finite() { value.clamp(0.0, 1.0) as f32 } else { 0.0 }
}

impl IEditControllerTrait for Component {
    unsafe fn setComponentState(&self, _state: *mut IBStream) -> tresult {
        // The component has loaded it, and is this object.
        kResultOk
    }

    unsafe fn setState(&self, _state: *mut IBStream) -> tresult {
        kResultOk
    }

    unsafe fn getState(&self, _state: *mut IBStream) -> tresult {
        kResultOk
    }

    unsafe fn getParameterCount(&self) -> int32 {
        self.bridge.params.len() as int32
    }

    unsafe fn getParameterInfo(&self, index: int32, info: *mut ParameterInfo) -> tresult {
        let param = usize::try_from(index).ok().and_then(|index| self.bridge.params.get(index));
        // SAFETY: the host passes null or room for the description.
        let (Some(param), Some(info)) = (param, unsafe { info.as_mut() }) else { return kInvalidArgument };
        let (spec, steps) = (param.of.spec(), param.get().steps());
        let measure = if let Values::Number(number) = spec.values { number.unit.suffix() } else { "" };
        info.id = param.id;
        text::write_wide(&mut info.title, spec.name);
        text::write_wide(&mut info.shortTitle, spec.name);
        text::write_wide(&mut info.units, measure.trim());
        info.stepCount = steps.unwrap_or(0) as int32;
        info.defaultNormalizedValue = f64::from(param.get().default_value());
        info.unitId = unit(TacetParams::group(index as usize));
        info.flags = 0;
        if spec.scope.is_automatable() {
            info.flags |= ParameterInfo_::ParameterFlags_::kCanAutomate as int32;
        }
        if param.of == ParamId::Bypass {
            info.flags |= ParameterInfo_::ParameterFlags_::kIsBypass as int32;
        } else if steps.is_some_and(|steps| steps > 1) {
            info.flags |= ParameterInfo_::ParameterFlags_::kIsList as int32;
        }
        kResultOk
    }

    unsafe fn getParamStringByValue(&self, id: ParamID, value: ParamValue, to: *mut String128) -> tresult {
        // SAFETY: the host passes null or room for the text.
        let (Some(param), Some(to)) = (self.bridge.param(id), unsafe { to.as_mut() }) else {
            return kInvalidArgument;
        };
        // The unit is said apart.
        text::write_wide(to, &param.get().bare_text(normalised(value)));
        kResultOk
    }

    unsafe fn getParamValueByString(
        &self,
        id: ParamID,
        string: *mut TChar,
        value: *mut ParamValue,
    ) -> tresult {
        // SAFETY: the host passes null or room for the value.
        let (Some(param), Some(value)) = (self.bridge.param(id), unsafe { value.as_mut() }) else {
            return kInvalidArgument;
        };
        // SAFETY: the host passes null or a text that ends with a zero.
        match param.get().parse(unsafe { text::read_wide(string) }.trim()) {
            Some(found) => {
                *value = f64::from(found);
                kResultOk
            }
            None => kResultFalse,
        }
    }

    unsafe fn normalizedParamToPlain(&self, id: ParamID, value: ParamValue) -> ParamValue {
        self.bridge.param(id).map_or(0.0, |param| f64::from(param.get().plain(normalised(value))))
    }

    unsafe fn plainParamToNormalized(&self, id: ParamID, value: ParamValue) -> ParamValue {
        self.bridge.param(id).map_or(0.0, |param| f64::from(param.get().normalized(value as f32)))
    }

    unsafe fn getParamNormalized(&self, id: ParamID) -> ParamValue {
        self.bridge.param(id).map_or(0.0, Param::value)
    }

    unsafe fn setParamNormalized(&self, id: ParamID, value: ParamValue) -> tresult {
        let Some(param) = self.bridge.param(id) else { return kInvalidArgument };
        if !value.is_finite() {
            return kInvalidArgument;
        }
        self.bridge.edit(param, value.clamp(0.0, 1.0));
        self.bridge.serve();
        kResultOk
    }

    unsafe fn setComponentHandler(&self, handler: *mut IComponentHandler) -> tresult {
        // SAFETY: the host passes null or its object, which we hold from now on.
        let handler = unsafe { ComRef::from_raw(handler) }.map(|handler| handler.to_com_ptr());
        self.bridge.set_handler(handler);
        kResultOk
    }

    unsafe fn createView(&self, name: FIDString) -> *mut IPlugView {
        // SAFETY: the host passes null or a text that ends with a zero.
        if unsafe { text::is(name, ViewType::kEditor) } {
            View::create(self.bridge.clone())
        } else {
            std::ptr::null_mut()
        }
    }
}

impl IUnitInfoTrait for Component {
    unsafe fn getUnitCount(&self) -> int32 {
        GROUPS.len() as int32 + 1
    }

    unsafe fn getUnitInfo(&self, index: int32, info: *mut UnitInfo) -> tresult {
        // SAFETY: the host passes null or room for the description.
        let Some(info) = (unsafe { info.as_mut() }) else { return kInvalidArgument };
        let (name, parent) = match usize::try_from(index) {
            Ok(0) => ("Root", kNoParentUnitId),
            Ok(index) if index <= GROUPS.len() => (GROUPS[index - 1], kRootUnitId),
            _ => return kInvalidArgument,
        };
        info.id = index;
        info.parentUnitId = parent;
        text::write_wide(&mut info.name, name);
        info.programListId = kNoProgramListId;
        kResultOk
    }

    unsafe fn getProgramListCount(&self) -> int32 {
        0
    }

    unsafe fn getProgramListInfo(&self, _index: int32, _info: *mut ProgramListInfo) -> tresult {
        kInvalidArgument
    }

    unsafe fn getProgramName(&self, _list: ProgramListID, _index: int32, _name: *mut String128) -> tresult {
        kInvalidArgument
    }

    unsafe fn getProgramInfo(
        &self,
        _list: ProgramListID,
        _index: int32,
        _attribute: CString,
        _value: *mut String128,
    ) -> tresult {
        kInvalidArgument
    }

    unsafe fn hasProgramPitchNames(&self, _list: ProgramListID, _index: int32) -> tresult {
        kInvalidArgument
    }

    unsafe fn getProgramPitchName(
        &self,
        _list: ProgramListID,
        _index: int32,
        _pitch: int16,
        _name: *mut String128,
    ) -> tresult {
        kInvalidArgument
    }

    unsafe fn getSelectedUnit(&self) -> UnitID {
        kRootUnitId
    }

    unsafe fn selectUnit(&self, _unit: UnitID) -> tresult {
        kResultOk
    }

    unsafe fn getUnitByBus(
        &self,
        _media: MediaType,
        _direction: BusDirection,
        _bus: int32,
        _channel: int32,
        _unit: *mut UnitID,
    ) -> tresult {
        kResultFalse
    }

    unsafe fn setUnitProgramData(&self, _list: int32, _index: int32, _data: *mut IBStream) -> tresult {
        kNotImplemented
    }
}
