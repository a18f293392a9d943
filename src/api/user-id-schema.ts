import { Type } from 'typebox';
import { userIdForm, userIdPattern } from '../base/user-id.ts';

export const userId = Type.String({ pattern: userIdPattern, description: userIdForm });
